"""Random configurations, generated from the schema's shape."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Any

from hypothesis import strategies as st

from appliance.config.validate import dump_tree
from appliance.schema.firewall import Rule
from appliance.schema.root import Config
from appliance.schema.shape import Keyed, Leaf, LeafList, Part, Shape, root_shape

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,6}", fullmatch=True)
PORTS = st.lists(st.tuples(st.integers(1, 65535), st.integers(0, 500)), min_size=1, max_size=4).map(
    lambda ranges: ", ".join(f"{low}-{min(low + more, 65535)}" for low, more in ranges)
)
NETWORKS = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(8, 32)).map(lambda n: str(IPv4Network(n, strict=False))),
    st.tuples(st.integers(0, 2**128 - 1), st.integers(32, 128)).map(lambda n: str(IPv6Network(n, strict=False))),
)
ADDRESSES = st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str))
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "title": TEXT.filter(lambda text: bool(text.strip())),
    "secret": TEXT.filter(lambda text: bool(text) and text != "********"),
    "name": NAMES,
    "group-name": NAMES,
    "hostname": st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[a-z]{2,4})?", fullmatch=True),
    "device": st.from_regex(r"[a-z]{2,4}[0-9]{1,2}", fullmatch=True),
    "mac": st.binary(min_size=5, max_size=5).map(lambda b: "52:" + ":".join(f"{byte:02X}" for byte in b)),
    "address": ADDRESSES,
    "network": NETWORKS,
    "subnet": st.tuples(st.integers(0, 2**32 - 1), st.integers(8, 30)).map(lambda n: str(IPv4Network(n, strict=False))),
    "selector": st.one_of(NETWORKS, NAMES),
    "ports": PORTS,
    "port-selector": st.one_of(PORTS, NAMES),
    "duration": st.tuples(st.integers(1, 9999), st.sampled_from("smhd")).map(lambda d: f"{d[0]}{d[1]}"),
    "limit": st.tuples(st.integers(1, 999), st.sampled_from(["second", "minute"])).map(lambda x: f"{x[0]}/{x[1]}"),
    "bool": st.booleans(),
}


def leaves(leaf: Leaf) -> st.SearchStrategy[Any]:
    """Values as a user may write them."""
    if leaf.words:
        return st.sampled_from(leaf.words)
    if leaf.kind == "int":
        assert leaf.low is not None
        assert leaf.high is not None
        return st.integers(int(leaf.low), int(leaf.high))
    if leaf.kind == "float":
        low, high = leaf.low or 0, leaf.high or 0
        return st.integers(0, 1000).map(lambda part: round(low + (high - low) * part / 1000, 3))
    return KINDS[leaf.kind]


@st.composite
def values(draw: st.DrawFn, shape: Shape) -> Any:
    """Anything of one shape."""
    if isinstance(shape, Leaf):
        return draw(leaves(shape))
    if isinstance(shape, LeafList):
        return draw(st.lists(leaves(shape.item), max_size=3, unique=True))
    if isinstance(shape, Keyed):
        keys = draw(st.lists(leaves(shape.key_leaf).map(str), max_size=2, unique_by=lambda key: key.lower()))
        return {key: draw(values(shape.entry)) for key in keys}
    return draw(parts(shape))


@st.composite
def parts(draw: st.DrawFn, part: Part) -> dict[str, Any]:
    """A section with what it needs and some of what it may have."""
    chosen = draw(st.sets(st.sampled_from(list(part.attributes)), max_size=4))
    result = {
        name: draw(values(attribute.shape))
        for name, attribute in part.attributes.items()
        if attribute.required or name in chosen
    }
    if issubclass(part.model, Rule):
        if result.get("protocol", "tcp") in ("tcp", "udp"):
            result["ports"] = draw(leaves(part.attributes["ports"].shape))  # type: ignore[arg-type]
        else:
            result.pop("ports", None)
    return result


def canonical(tree: dict[str, Any]) -> dict[str, Any]:
    """Spell a tree canonically; checks across sections are not asked for."""
    return dump_tree(Config.model_validate(tree), secrets=True)


def trees() -> st.SearchStrategy[dict[str, Any]]:
    """Canonical trees; each value is acceptable by itself."""
    return parts(root_shape()).map(canonical)
