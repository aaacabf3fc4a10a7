"""Where Flumen answers otherwise than Apache Kafka on purpose, each with its reason. None covers a whole API."""

import re
from dataclasses import dataclass

from .talk import ZERO_ID, Answer


@dataclass(frozen=True)
class Allowed:
    """A difference at a path (a regular expression) of an API's answers."""

    api: str
    path: str
    reason: str
    case: str = ".*"
    ours: str = ".*"

    def covers(self, answer: Answer, case: str, path: str, _theirs, ours) -> bool:
        """Whether it is this one."""
        matches = ((self.path, path), (self.case, case), (self.ours, repr(ours)))
        return self.api == answer.api and all(re.fullmatch(pattern, text) for pattern, text in matches)


FLUSH = "unset, flush.messages is 1: an acknowledged record is flushed, and the configuration says so"
ELR = "Apache Kafka 4.1 makes min.insync.replicas a configuration of the cluster where that feature is on"
EARLY = "a batch that is refused at its connection never reaches its partition, whose start is not known there"
TRANSACTIONS = "transactions are not served: the batch is refused as such"
MESSAGE = "a message where Apache Kafka has none"
QUORUM = "numbers of each broker's own metadata log"
CONFIGS = r"(topics|results)\[\]\.configs\[\]"

ALLOWED: tuple[Allowed, ...] = (
    Allowed("ApiVersions", r"apiKeys", "each broker lists the APIs that it serves; ranges are compared on their own"),
    Allowed("ApiVersions", r"(supportedF|finalizedF)eatures.*", "features are those of this broker"),
    Allowed("Metadata", r"brokers|clusterId|controllerId", "a refusal that has the cluster besides", "of topics by id"),
    Allowed("Metadata", r"topics\[\]\.(errorCode|name)", "neither name nor id is an unknown id", "of topics by id"),
    Allowed("CreateTopics", r"topics\[\]\.topicId", "nothing was made that could have an id", ours=f"'{ZERO_ID}'"),
    Allowed("CreateTopics", CONFIGS + r"\.value", FLUSH, ours="'1'"),
    Allowed("CreateTopics", CONFIGS + r"\.configSource", ELR, ours="5"),
    Allowed("DescribeConfigs", CONFIGS + r"(\.synonyms\[\])?\.value", FLUSH, ours="'1'"),
    Allowed("DescribeConfigs", CONFIGS + r"\.configSource", ELR, ours="5"),
    Allowed("DescribeConfigs", CONFIGS + r"\.synonyms", ELR, ours=r".*min\.insync\.replicas.*"),
    Allowed("DescribeConfigs", r"results\[\]\.errorMessage", MESSAGE, ours="'text'"),
    Allowed("CreatePartitions", r"results\[\]\.errorMessage", MESSAGE, ours="'text'"),
    Allowed("IncrementalAlterConfigs", r"responses\[\]\.errorCode", "INVALID_REQUEST says more than -1", ours="42"),
    Allowed("IncrementalAlterConfigs", r"responses\[\]\.errorMessage", MESSAGE, ours="'text'"),
    Allowed("DescribeQuorum", r".*\.(highWatermark|logEndOffset|leaderEpoch)", QUORUM, ours=r"\d+"),
    Allowed("DescribeQuorum", r"topics\[\]\.partitions\[\]\.leader(Id|Epoch)", "what is not there has no leader", ours="-1"),
    Allowed("DescribeQuorum", r".*\.replicaDirectoryId", "the metadata log's directory has no id", ours=f"'{ZERO_ID}'"),
    Allowed("DescribeQuorum", r"nodes(\[\]\.listeners\[\]\.name)?", "one listener for everybody, told with every answer"),
    Allowed("AlterClientQuotas", r"entries\[\]\.entity", "a kind that was said twice is told twice", "changes that are wrong"),
    Allowed("AlterUserScramCredentials", r".*\.errorCode", "UNACCEPTABLE_CREDENTIAL says more than -1", ours="93"),
    Allowed("AlterUserScramCredentials", r".*\.errorMessage", MESSAGE, ours="'text'"),
    Allowed("AlterPartitionReassignments", r".*\.errorMessage", MESSAGE, ours="'text'"),
    Allowed("DescribeTopicPartitions", r".*\.errorCode", "INVALID_TOPIC_EXCEPTION says more than -1", ours="17"),
    Allowed("DescribeTopicPartitions", r".*\.topicAuthorizedOperations", "no name is a topic's error, not the request's"),
    Allowed("DescribeProducers", r".*\.lastTimestamp", "when a batch came, by which producers expire, whatever time a client writes into it"),
    Allowed("DescribeProducers", r".*\.errorMessage", MESSAGE, ours="'text'"),
    Allowed("UpdateFeatures", r".*\.errorMessage", "no message where nothing is wrong", ours="None"),
    Allowed("FindCoordinator", r"errorMessage", "no message where nothing is wrong", ours="None"),
    Allowed("Produce", r".*\.logStartOffset", EARLY, ours="-1"),
    Allowed("Produce", r".*\.errorMessage", MESSAGE, ours="'text'"),
    Allowed("Produce", r".*\.errorCode", TRANSACTIONS, "batches that are wrong", ours="87"),
    Allowed("Produce", r".*\.errorCode", "UNSUPPORTED_COMPRESSION_TYPE says more than -1", ours="76"),
)
