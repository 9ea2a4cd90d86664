"""A host's part in swarms besides the fetching: it joins before, and leaves when it switches."""

from __future__ import annotations

from saltdeploy.config import Repo
from saltdeploy.errors import DeployError, from_os
from saltdeploy.orders import Result
from saltdeploy.target import manners, supplies
from saltdeploy.target.host import Host

#: Facts of an answer: where the host can be reached.
ADDRESS, PORT, SITE = "swarm_address", "swarm_port", "swarm_site"


def join(repo: Repo, host: Host) -> Result:
    """Let the host's seeder run, and answer where it listens. A host that cannot take part says why, as its error."""
    try:
        with manners.gentle(repo.supply.nice):
            peer = supplies.member(repo, host).join()
    except (DeployError, OSError) as error:
        ours = error if isinstance(error, DeployError) else from_os(error)
        placed = ours.at(repo=repo.name, host=host.name)
        return Result(host.name, repo.name, status=placed.status, error=placed)
    facts = {ADDRESS: peer.address, PORT: peer.port, SITE: repo.supply.site}
    return Result(host.name, repo.name, facts=facts)


def leave(repo: Repo, host: Host) -> None:
    """Give nobody anything of this repo any more: hosts switch when all of them have what they need."""
    supplies.member(repo, host).den.withdraw_of(repo.name)
