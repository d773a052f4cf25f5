"""
Divide the gateway's limits among workers.
"""

from msgspec.structs import replace

from openclaw.config import Config


def divideLimits(config: Config, count: int) -> Config:
    """
    Return the configuration of one worker: each limit that applies to the whole gateway
    is divided, and rounded up.
    """

    def share(total: int) -> int:
        return -(-total // count)

    http, defaults = config.gateway.http, config.agents.defaults
    endpoints = http.endpoints
    embeddings = replace(
        endpoints.embeddings, maxConcurrent=share(endpoints.embeddings.maxConcurrent)
    )
    # One body of the largest size must fit, for any number of workers.
    bodies = max(
        share(http.maxBodyBytesInFlight), endpoints.chatCompletions.maxBodyBytes
    )
    return replace(
        config,
        gateway=replace(
            config.gateway,
            http=replace(
                http,
                maxConnections=share(http.maxConnections),
                maxConnectionsPerAddress=share(http.maxConnectionsPerAddress),
                maxBodyBytesInFlight=bodies,
                endpoints=replace(endpoints, embeddings=embeddings),
            ),
        ),
        agents=replace(
            config.agents,
            defaults=replace(
                defaults,
                maxConcurrent=share(defaults.maxConcurrent),
                maxQueued=share(defaults.maxQueued),
            ),
        ),
        session=replace(config.session, maxWaiting=share(config.session.maxWaiting)),
    )
