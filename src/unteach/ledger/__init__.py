"""Keep requests for removal and their outcome in one SQLite file that holds no text."""

from unteach.ledger.book import Ledger
from unteach.ledger.dates import month_after
from unteach.ledger.key import make_key, read_key
from unteach.ledger.prints import Fingerprint, prints_of

__all__ = ["Fingerprint", "Ledger", "make_key", "month_after", "prints_of", "read_key"]
