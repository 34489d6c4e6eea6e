"""From one record, whatever its columns, to an example or the reasons why it is none."""
