"""Run on several processes: join those of a launcher, split work and gather results."""
