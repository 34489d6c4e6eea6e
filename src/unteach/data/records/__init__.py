"""Turn one record, with any supported columns, into an example, or into its problems."""
