"""Whether what was forgotten comes back: one file, one attack; a file dropped in here joins."""

from unteach.attacks._base import ATTACKS, Attack, AttackOutcome, attack_of, option, registered

__all__ = ["ATTACKS", "Attack", "AttackOutcome", "attack_of", "option", "registered"]
