"""Write what is in the image: a manifest of packages and wheels, a CycloneDX bill of materials, and checksums.

Usage: manifest.py TREE IMAGE.qcow2. The three files are written beside the image; equal trees give equal files.
"""

import hashlib
import json
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class Component:
    """A Debian package or a Python distribution in the tree."""

    kind: str
    name: str
    version: str
    architecture: str = ""
    licence: str = ""

    @property
    def purl(self) -> str:
        """The package URL (purl-spec), e.g. pkg:deb/debian/nftables@1.1.3-1?arch=amd64."""
        version = self.version.replace("+", "%2B").replace(":", "%3A")
        if self.kind == "deb":
            return f"pkg:deb/debian/{self.name.replace('+', '%2B')}@{version}?arch={self.architecture}&distro=trixie"
        return f"pkg:pypi/{self.name.lower().replace('_', '-')}@{version}"


def debian_packages(tree: Path) -> Iterator[Component]:
    """Every installed package of the tree's dpkg status file (deb-control(5))."""
    for paragraph in (tree / "var/lib/dpkg/status").read_text(encoding="utf-8").split("\n\n"):
        fields = HeaderParser().parsestr(paragraph)
        if fields["Status"] == "install ok installed":
            yield Component("deb", fields["Package"], fields["Version"], fields["Architecture"])


def python_distributions(tree: Path) -> Iterator[Component]:
    """Every distribution of the gateway's own Python environment, from its METADATA."""
    for metadata in (tree / "opt/kawaii/lib").glob("python3.*/site-packages/*.dist-info/METADATA"):
        fields = HeaderParser().parsestr(metadata.read_text(encoding="utf-8"))
        yield Component("pypi", fields["Name"], fields["Version"], "", fields["License-Expression"] or "")


def render_manifest(components: list[Component]) -> dict[str, object]:
    """Names and versions, by kind: `{"debian": [{name, version, architecture}], "python": [{name, version}]}`."""
    return {
        "debian": [
            {"name": c.name, "version": c.version, "architecture": c.architecture}
            for c in components
            if c.kind == "deb"
        ],
        "python": [{"name": c.name, "version": c.version} for c in components if c.kind == "pypi"],
    }


def render_bill(components: list[Component], version: str) -> dict[str, object]:
    """The same as a CycloneDX 1.6 document; its serial number follows from the content."""
    serial = uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(c.purl for c in components))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {"type": "firmware", "name": "kawaii-gateway", "version": version}},
        "components": [render_component(c) for c in components],
    }


def render_component(component: Component) -> dict[str, object]:
    """One entry of the bill's `components`."""
    entry: dict[str, object] = {
        "type": "library",
        "name": component.name,
        "version": component.version,
        "purl": component.purl,
        "bom-ref": component.purl,
    }
    if component.licence:
        entry["licenses"] = [{"expression": component.licence}]
    return entry


def sha256(path: Path) -> str:
    """The hash of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main() -> None:
    """Write NAME.manifest.json, NAME.sbom.cdx.json and SHA256SUMS beside the image."""
    tree, image = map(Path, sys.argv[1:])
    components = sorted({*debian_packages(tree), *python_distributions(tree)})
    version = next(c.version for c in components if c.name == "kawaii-gateway")
    documents = {"manifest": render_manifest(components), "sbom.cdx": render_bill(components, version)}
    written = [image]
    for suffix, document in documents.items():
        path = image.with_suffix(f".{suffix}.json")
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        written.append(path)
    sums = "".join(f"{sha256(path)}  {path.name}\n" for path in written)
    (image.parent / "SHA256SUMS").write_text(sums, encoding="utf-8")


if __name__ == "__main__":
    main()
