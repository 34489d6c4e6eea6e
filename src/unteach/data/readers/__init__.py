"""Readers of files, folders, data set ids and rows in memory: each gives records with places."""
