"""What a service tells the database of itself, for the administrators' page of services."""

import structlog

from attendance.database.upkeep.services import ServiceState
from attendance.gallery.gallery import Gallery
from recognition_service.listening import address_for_others
from recognition_service.outbox.store import Outbox, OutboxError
from recognition_service.replication.fetching import IndexReplica

log = structlog.get_logger()


def state_of(address: str, gallery: Gallery | None, replica: IndexReplica | None, outbox: Outbox) -> ServiceState:
    """How a service fares now.

    Args:
        address: where it listens.
        gallery: the index in use; None while there is none.
        replica: fetches it from another machine; None: it is built here.
        outbox: what waits for the database.
    """
    try:
        depth = outbox.depth()
    except OutboxError as error:
        log.error("outbox_not_read", reason=str(error))
        depth = None
    return ServiceState(
        address=address_for_others(address),
        index_version=gallery.version if gallery is not None else "",
        index_source=replica.source_name if replica is not None else None,
        index_problem=replica.problem if replica is not None else None,
        outbox_depth=depth,
    )
