"""Read records, each with file and line, from files, folders, dataset ids and rows in memory."""
