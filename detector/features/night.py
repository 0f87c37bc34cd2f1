"""One night of one model: its queries as a stream, sorted into blocks of whole entities, measured on all cores.

Queries are spread over parts by a hash of their client, so that memory holds a few parts at a time however long the
night is; a client larger than a part is measured in stretches whose states merge.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

from detector.features import families
from detector.features.assemble import assemble
from detector.features.campaign import quotas
from detector.features.mixed import candidates, measure_mixed
from detector.features.pool import find_campaigns, pooled
from detector.features.state import States, stacked
from detector.model import EntityKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from detector.config import IdentitySettings
    from detector.features.assemble import Reading
    from detector.features.contact import Contacts
    from detector.features.mixed import Mixed

PART_ROWS = 60_000
STRETCH_ROWS = 200_000
_WORKERS = 2
_MOST_ADDRESSES = 100_000
_NO_NETWORK = 0xFFFFFFFF


def network_of(address: str, identity: IdentitySettings) -> str | None:
    """Return the network of an address as CIDR, None for what is no address."""
    try:
        read = ip_address(address)
    except ValueError:
        return None
    # A server that listens on both protocols writes 10.1.2.3 as ::ffff:10.1.2.3; as IPv6 all of these are one network.
    known = getattr(read, "ipv4_mapped", None) or read
    prefix = identity.network_prefix_v4 if known.version == 4 else identity.network_prefix_v6
    return str(ip_network(f"{known}/{prefix}", strict=False))


@dataclass
class Roster:
    """The clients and networks met so far; codes are positions."""

    identity: IdentitySettings
    clients: dict[str, int] = field(default_factory=dict)
    networks: dict[str, int] = field(default_factory=dict)
    addresses: dict[str, str | None] = field(default_factory=dict)
    pairs: set[int] = field(default_factory=set)

    def encode(self, table: pa.Table) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return client and network code of each query; -1 where the address cannot be read."""
        client = _codes(table["client_id"], self.clients, lambda name: name)
        network = _codes(table["source_ip"], self.networks, self._network)
        pairs = np.unique(client.astype(np.int64) << 32 | (network.astype(np.int64) & 0xFFFFFFFF))
        self.pairs.update(pairs.tolist())
        return client, network

    def _network(self, address: str) -> str | None:
        if address not in self.addresses:
            # An attacker who changes addresses with every query must not fill the memory with them.
            if len(self.addresses) >= _MOST_ADDRESSES:
                self.addresses.clear()
            self.addresses[address] = network_of(address, self.identity)
        return self.addresses[address]

    def shared_networks(self) -> dict[int, list[int]]:
        """Networks that several clients used, with their clients: one of a single client is that client's window."""
        members: dict[int, list[int]] = {}
        for pair in sorted(self.pairs):
            client, network = pair >> 32, pair & 0xFFFFFFFF
            if network != _NO_NETWORK:
                members.setdefault(network, []).append(client)
        return {network: clients for network, clients in members.items() if len(clients) > 1}


def _codes(column: pa.ChunkedArray, known: dict[str, int], name_of: Callable[[str], str | None]) -> NDArray[np.int32]:
    """Return the code of each value, learning new names on the way; -1 where `name_of` gives none."""
    encoded = pc.dictionary_encode(column.combine_chunks())
    lookup = np.empty(len(encoded.dictionary), dtype=np.int32)
    for position, value in enumerate(encoded.dictionary.to_pylist()):
        name = name_of(value)
        lookup[position] = -1 if name is None else known.setdefault(name, len(known))
    return lookup[encoded.indices.to_numpy()]


@dataclass(frozen=True)
class EntityStates:
    """The nightly states of entities of one kind.

    Attributes:
        kind: client, network or campaign.
        names: their ids.
        clients: for each, the clients that it stands for.
        states: a row an entity.
    """

    kind: EntityKind
    names: tuple[str, ...]
    clients: tuple[tuple[str, ...], ...]
    states: States


@dataclass(frozen=True)
class MeasuredNight:
    """What a night's queries give.

    Attributes:
        entities: the states of the clients, then of the shared networks, then of the campaigns; entities sorted by id.
        mixed: the two parts of the clients that do two things; None where there are none.
    """

    entities: tuple[EntityStates, ...]
    mixed: Mixed | None


def measure_night(
    batches: Iterable[pa.Table], rows: int, reading: Reading, contacts: Contacts, identity: IdentitySettings
) -> MeasuredNight:
    """Measure every client, every network that several clients share, and every campaign of several clients.

    Args:
        batches: the night's queries (columns SCAN_COLUMNS), in any order.
        rows: about how many there are, to size the parts.
        reading: how the model's queries are read.
        contacts: declared training records and canaries.
        identity: how wide a network is.
    """
    roster = Roster(identity)
    with _spill(max(1, -(-rows // PART_ROWS))) as parts:
        for table in batches:
            client, network = roster.encode(table)
            coded = table.drop_columns(["client_id", "source_ip"])
            coded = coded.append_column("client", pa.array(client)).append_column("network", pa.array(network))
            parts.add(coded, client)
        results = [_measure_clients(parts, reading, contacts, roster)]
        shared = roster.shared_networks()
        if shared:
            results.append(_measure_networks(parts, reading, contacts, roster, shared))
        results += _measure_campaigns(parts, reading, contacts, roster, results[0])
        mixed = _measure_mixed(parts, reading, contacts, roster, results[0])
    return MeasuredNight(tuple(results), mixed)


def _measure_clients(parts: Parts, reading: Reading, contacts: Contacts, roster: Roster) -> EntityStates:
    names = list(roster.clients)
    codes, states = _measure_parts(parts, "client", reading, contacts)
    order = sorted(range(len(codes)), key=lambda position: names[codes[position]])
    ids = tuple(names[codes[position]] for position in order)
    return EntityStates(
        EntityKind.CLIENT, ids, tuple((name,) for name in ids), states.take(np.array(order, dtype=np.int64))
    )


def _measure_networks(
    parts: Parts, reading: Reading, contacts: Contacts, roster: Roster, shared: dict[int, list[int]]
) -> EntityStates:
    wanted = np.zeros(len(roster.networks) + 1, dtype=bool)
    wanted[list(shared)] = True
    with _spill(len(parts.files)) as again:
        for number in parts.close():
            table = parts.load(number)
            network = table["network"].to_numpy()
            keep = wanted[network]
            if keep.any():
                again.add(table.filter(pa.array(keep)), network[keep])
        codes, states = _measure_parts(again, "network", reading, contacts)
    names, clients = list(roster.networks), list(roster.clients)
    order = sorted(range(len(codes)), key=lambda position: names[codes[position]])
    members = tuple(tuple(sorted(clients[c] for c in shared[codes[position]])) for position in order)
    ids = tuple(names[codes[position]] for position in order)
    return EntityStates(EntityKind.NETWORK, ids, members, states.take(np.array(order, dtype=np.int64)))


def _measure_campaigns(
    parts: Parts, reading: Reading, contacts: Contacts, roster: Roster, clients: EntityStates
) -> list[EntityStates]:
    quota = _by_code(quotas(clients.states), clients, roster)
    pool = pooled((parts.load(number, "client", quota > 0) for number in parts.close()), quota)
    # Sums are rounded by how many threads share them, and a comparison must not depend on that.
    with threadpool_limits(1):
        found = find_campaigns(pool, reading, contacts, list(roster.clients)) if pool is not None else None
    return [EntityStates(EntityKind.CAMPAIGN, *found)] if found else []


def _measure_mixed(
    parts: Parts, reading: Reading, contacts: Contacts, roster: Roster, clients: EntityStates
) -> Mixed | None:
    wanted = _by_code(candidates(clients.states), clients, roster)
    if not wanted.any():
        return None
    tables = (parts.load(number, "client", wanted) for number in parts.close())
    with threadpool_limits(1):
        return measure_mixed(tables, reading, contacts, list(roster.clients))


def _by_code(values: NDArray[Any], clients: EntityStates, roster: Roster) -> NDArray[Any]:
    """Return a value a client, (G,), in the order of the clients' codes; zero for who has none."""
    out = np.zeros(len(roster.clients), dtype=values.dtype)
    out[[roster.clients[name] for name in clients.names]] = values
    return out


def _measure_parts(parts: Parts, entity: str, reading: Reading, contacts: Contacts) -> tuple[list[int], States]:
    """Measure each part on its own, two at a time, in a fixed order."""

    def work(number: int) -> tuple[NDArray[np.int64], States]:
        codes, owner, blocks = assemble(parts.load(number), entity, reading, STRETCH_ROWS)
        states = stacked([families.measure(block, reading.schema, contacts) for block in blocks])
        return codes, states.merged(owner, len(codes)) if len(owner) != len(codes) else states

    # Each worker has a core of its own; linear algebra that starts threads besides would only get in their way.
    with threadpool_limits(1), ThreadPoolExecutor(_WORKERS) as pool:
        done = list(pool.map(work, parts.close()))
    return [int(code) for codes, _ in done for code in codes], stacked([states for _, states in done])


@dataclass
class Parts:
    """Queries spread over parts by a hash of their entity: in memory for one part, in temporary files for more."""

    folder: Path
    files: list[Path]
    writers: dict[int, pa.ipc.RecordBatchFileWriter] = field(default_factory=dict)
    held: list[pa.Table] = field(default_factory=list)

    def add(self, table: pa.Table, codes: NDArray[np.int32]) -> None:
        """Add queries, each to the part of its entity's code."""
        if len(self.files) == 1:
            self.held.append(table)
            return
        part = (codes.astype(np.int64) * 2_654_435_761 >> 7) % len(self.files)
        order = np.argsort(part, kind="stable")
        bounds = np.searchsorted(part[order], np.arange(len(self.files) + 1))
        sorted_table = table.take(pa.array(order))
        for number in range(len(self.files)):
            piece = sorted_table.slice(bounds[number], bounds[number + 1] - bounds[number])
            if piece.num_rows:
                if number not in self.writers:
                    self.writers[number] = pa.ipc.new_file(self.files[number], piece.schema)
                self.writers[number].write_table(piece)

    def close(self) -> list[int]:
        """End the adding; return the numbers of the parts that hold queries."""
        for writer in self.writers.values():
            writer.close()
        if self.held:
            self.held = [pa.concat_tables(self.held)]
            return [0]
        return sorted(self.writers)

    def load(self, number: int, entity: str = "", wanted: NDArray[np.bool_] | None = None) -> pa.Table:
        """Return one part; only the rows of the entities `wanted`, by code, where these are given."""
        if self.held:
            return _only(self.held[0], entity, wanted)
        with (
            pa.memory_map(str(self.files[number]))
            if wanted is not None
            else pa.OSFile(str(self.files[number])) as source
        ):
            return _only(pa.ipc.open_file(source).read_all(), entity, wanted)


def _only(table: pa.Table, entity: str, wanted: NDArray[np.bool_] | None) -> pa.Table:
    if wanted is None:
        return table
    return table.take(pa.array(np.flatnonzero(wanted[table[entity].to_numpy()])))


@contextmanager
def _spill(count: int) -> Iterator[Parts]:
    with tempfile.TemporaryDirectory(prefix="detector-") as folder:
        yield Parts(Path(folder), [Path(folder) / f"{number}.arrow" for number in range(count)])
