"""Attacks that try to recover forgotten data, one per file; each file is found automatically."""

from unteach.attacks._base import ATTACKS, Attack, AttackOutcome, attack_of, option, registered

__all__ = ["ATTACKS", "Attack", "AttackOutcome", "attack_of", "option", "registered"]
