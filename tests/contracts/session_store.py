"""
The contract of L{openclaw.interfaces.ISessionStore}.
"""

from tests.contracts.store_bounds import StoreBoundsWhatIsLoaded
from tests.contracts.store_claims import StoreHasClaims
from tests.contracts.store_conversations import StoreKeepsConversations
from tests.contracts.store_life import StoreOpensAndCloses
from tests.contracts.store_lists import StoreListsSessions
from tests.contracts.store_outlines import StoreOutlinesSessions
from tests.contracts.store_results import StoreRefusesStrayResults
from tests.contracts.store_summaries import StoreKeepsSummaries
from tests.contracts.store_tails import StoreReadsTails


class SessionStoreContract(
    StoreOpensAndCloses,
    StoreKeepsConversations,
    StoreHasClaims,
    StoreRefusesStrayResults,
    StoreKeepsSummaries,
    StoreBoundsWhatIsLoaded,
    StoreOutlinesSessions,
    StoreReadsTails,
    StoreListsSessions,
):
    """
    The contract of every L{ISessionStore}.  Define C{makeStore}.
    """


__all__ = ["SessionStoreContract"]
