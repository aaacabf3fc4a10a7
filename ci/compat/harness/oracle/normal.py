"""Answers without what differs from one broker to another by its nature: ids, addresses, times, wording."""

from .talk import ZERO_ID

NODES = {"nodeId", "brokerId", "leaderId", "leader", "controllerId", "preferredReadReplica", "replicaId", "voterId"}
NODE_LISTS = {"replicaNodes", "isrNodes", "replicas", "isr", "offlineReplicas", "addingReplicas", "removingReplicas"}
TEXTS = {"errorMessage", "batchIndexErrorMessage", "documentation"}
DIRECTORIES = {"replicaDirectoryId", "logDir"}
# Numbers that each broker draws for itself; what counts is whether there is one.
DRAWN = {"producerId", "sessionId"}
TIMES = {"logAppendTimeMs", "issueTimestampMs", "lastFetchTimestamp", "lastCaughtUpTimestamp"}
TIMES |= {"finalizedFeaturesEpoch", "totalBytes", "usableBytes"}


def normal(value, name: str = ""):
    """The same shape with the broker's own things replaced by words."""
    if isinstance(value, dict):
        return {key: normal(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        if name in NODE_LISTS:
            return ["node" for _ in value]
        return sorted((normal(inner, name) for inner in value), key=_order)
    # In groups the leader is a member.
    if name == "memberId" or (name == "leader" and isinstance(value, str)):
        return "member" if value else value
    if name in NODES:
        return "node" if isinstance(value, int) and value >= 0 else value
    if name in ("host", "port", "clusterId", "coordinator"):
        return name if value not in ("", -1, None) else value
    if name in ("topicId", *DIRECTORIES):
        return value if value in (ZERO_ID, None, "") else name
    if name in TEXTS:
        return "text" if value else None
    if name in DRAWN:
        return name if value > 0 else value
    if name in TIMES:
        return name if value >= 0 else value
    if isinstance(value, bytes):
        return value.hex()
    return value


def _order(item):
    """Entries of a list have no order: they are put in one, by what names them."""
    if not isinstance(item, dict):
        return (str(item),)
    named = [str(item.get(key, "")) for key in ("name", "topic", "resourceName", "groupId", "key", "memberId")]
    numbered = next((item[key] for key in ("partitionIndex", "partition", "index", "apiKey") if key in item), -1)
    return (*named, numbered, str(item))


def differences(left, right, path: str = "") -> list[tuple[str, object, object]]:
    """Where two normal values differ: the path of fields, and what stands there."""
    if isinstance(left, dict) and isinstance(right, dict):
        found = []
        for key in (*left, *(key for key in right if key not in left)):
            inner = f"{path}.{key}" if path else key
            found += differences(left.get(key, _missing), right.get(key, _missing), inner)
        return found
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        return [each for a, b in zip(left, right) for each in differences(a, b, path + "[]")]
    return [] if left == right else [(path, left, right)]


class _Missing:
    def __repr__(self):
        return "nothing"


_missing = _Missing()
