"""An election as schema registries hold it: three raw members of protocol type `sr`, one of which vanishes."""

from ..oracle.link import Link
from .service import wait_for
from .sr_members import ANSWER_S, PROTOCOL, TYPE, Member, assignment_of, await_agreement, metadata_of, schemas
from .stage import Stage

NAME = "raw members of type sr"


class Election:
    """One run."""

    def __init__(self, stage: Stage):
        self._stage = stage
        self._known = schemas()
        self._group = "schema-registry"
        self._link = Link(("127.0.0.1", stage.broker.port), self._known, ANSWER_S)

    def run(self) -> None:
        """Three join, the leader vanishes, another comes, all leave."""
        check = self._stage.check
        wait_for(self._coordinated, "the group has a coordinator", ANSWER_S)
        members = [self._join(name) for name in ("one", "two", "three")]
        check(NAME, "three members agree on a leader", await_agreement(members, 0))
        check(NAME, "DescribeGroups shows type, metadata and assignments as they are", self._described(members))
        generation = members[0].view.generation
        leader = next(member for member in members if member.view.leader == member.view.member)
        leader.vanish()
        members.remove(leader)
        check(NAME, "the leader vanishes: the others agree on another", await_agreement(members, generation))
        generation = members[0].view.generation
        members.append(self._join("four"))
        check(NAME, "a member comes: three agree", await_agreement(members, generation))
        for member in members:
            member.leave()
        faults = [fault for member in members for fault in member.faults]
        check(NAME, "all leave: the group is empty", faults + self._state("Empty"))
        self._link.close()

    def _coordinated(self) -> bool:
        found = self._link.ask("FindCoordinator", 2, {"key": self._group, "keyType": 0})
        fetched = self._link.ask("OffsetFetch", 5, {"groupId": self._group, "topics": None})
        return found["errorCode"] == 0 == fetched["errorCode"]

    def _join(self, name: str) -> Member:
        member = Member(name, self._stage.broker.port, self._group, self._known)
        member.start()
        return member

    def _describe(self) -> dict:
        return self._link.ask("DescribeGroups", 5, {"groups": [self._group]})["groups"][0]

    def _state(self, wanted: str) -> list[str]:
        state = self._describe()["groupState"]
        return [] if state == wanted else [f"the group is {state}, not {wanted}"]

    def _described(self, members: list[Member]) -> list[str]:
        group = self._describe()
        what = (group["groupState"], group["protocolType"], group["protocolData"])
        faults = [] if what == ("Stable", TYPE, PROTOCOL) else [f"the group is {what}"]
        seen = {each["memberId"]: (each["memberMetadata"], each["memberAssignment"]) for each in group["members"]}
        views = {member.name: member.view for member in members}
        wanted = {v.member: (metadata_of(name), assignment_of(v.leader, v.member)) for name, v in views.items()}
        return faults + ([] if seen == wanted else [f"members {seen}, not {wanted}"])


def run(stage: Stage) -> None:
    """The part `election`."""
    Election(stage).run()
