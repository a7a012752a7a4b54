"""Which faults share a world."""

from random import Random

from tests.chaos.fault import Fault, Needs
from tests.chaos.runs import share_worlds
from tests.chaos.world import World


class Needing(Fault):
    def __init__(self, needs: Needs) -> None:
        self.name = "needing"
        self._needs = needs

    def needs(self) -> Needs:
        return self._needs

    async def inject(self, world: World, random: Random) -> None:
        raise NotImplementedError


PLAIN = Needing(Needs())
BOUND = Needing(Needs(settings={"A": "1"}))
OTHER = Needing(Needs(settings={"A": "2"}))
LINKED = Needing(Needs(proxies=frozenset({("apply", "broker")})))
CLUSTER = Needing(Needs(cluster=True))
ALONE = Needing(Needs(alone=True))
EVERYBODY = (PLAIN, BOUND, OTHER, LINKED, CLUSTER, ALONE)


def groups(*, sparing: bool) -> list[list[Fault]]:
    return [group for _, group in share_worlds([*EVERYBODY, PLAIN], sparing=sparing)]


def test_faults_with_equal_needs_share_a_world() -> None:
    assert groups(sparing=False) == [[PLAIN, PLAIN], [BOUND], [OTHER], [LINKED], [CLUSTER], [ALONE]]


def test_to_spare_worlds_they_share_one_that_has_what_all_of_them_need() -> None:
    assert groups(sparing=True) == [[PLAIN, BOUND, LINKED, PLAIN], [OTHER], [CLUSTER], [ALONE]]
    needs = share_worlds(EVERYBODY, sparing=True)[0][0]
    assert needs == Needs(proxies=frozenset({("apply", "broker")}), settings={"A": "1"})
