"""
Return one worker's share of the gateway's limits.
"""

from msgspec.structs import replace

from openclaw.config import Config


def shareOf(config: Config, count: int) -> Config:
    """
    The configuration of one worker among several: of what there may be in all it has
    an equal part, rounded up.
    """

    def part(total: int) -> int:
        return -(-total // count)

    http, defaults = config.gateway.http, config.agents.defaults
    endpoints = http.endpoints
    embeddings = replace(
        endpoints.embeddings, maxConcurrent=part(endpoints.embeddings.maxConcurrent)
    )
    # One body must have room, however many workers there are.
    bodies = max(
        part(http.maxBodyBytesInFlight), endpoints.chatCompletions.maxBodyBytes
    )
    return replace(
        config,
        gateway=replace(
            config.gateway,
            http=replace(
                http,
                maxConnections=part(http.maxConnections),
                maxConnectionsPerAddress=part(http.maxConnectionsPerAddress),
                maxBodyBytesInFlight=bodies,
                endpoints=replace(endpoints, embeddings=embeddings),
            ),
        ),
        agents=replace(
            config.agents,
            defaults=replace(
                defaults,
                maxConcurrent=part(defaults.maxConcurrent),
                maxQueued=part(defaults.maxQueued),
            ),
        ),
        session=replace(config.session, maxWaiting=part(config.session.maxWaiting)),
    )
