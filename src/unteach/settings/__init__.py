"""The request: every setting, how it is read, and what is said of a wrong one."""
