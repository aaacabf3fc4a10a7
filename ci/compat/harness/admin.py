"""Kafka's admin tools against the broker, with assertions on what they print."""


def checks(bootstrap, work, drivers):
    return []
