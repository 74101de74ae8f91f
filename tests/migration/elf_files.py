"""Makes small ELF files: enough of one for a reader, with whatever is to be seen in it."""

import struct
from pathlib import Path


def write_elf(
    path: Path,
    *,
    needed: tuple[str, ...] = (),
    soname: str = "",
    rpath: str = "",
    runpath: str = "",
    misaligned: bool = False,
    debug_bytes: int = 0,
    comment: str = "",
    wide: bool = True,
) -> Path:
    """A little-endian shared library of one loaded segment, 64 bits `wide` or 32."""
    strings, offsets = b"\0", {}
    for text in (*needed, soname, rpath, runpath):
        offsets[text] = len(strings)
        strings += text.encode() + b"\0"
    tags = [(1, offsets[name]) for name in needed]
    tags += [(tag, offsets[text]) for tag, text in ((14, soname), (15, rpath), (29, runpath)) if text]
    base = 0x1000
    dynamic_at, entry = 0x200, "<qQ" if wide else "<iI"
    strings_at = dynamic_at + (len(tags) + 2) * struct.calcsize(entry)
    dynamic = b"".join(struct.pack(entry, *tag) for tag in [*tags, (5, base + strings_at), (0, 0)])
    names = b"\0.debug_info\0.symtab\0.text\0.comment\0"
    names_at = strings_at + len(strings)
    said = comment.encode()
    comment_at = names_at + len(names)
    sections_at = comment_at + len(said)
    sections = [
        (0, 0, 0),
        (1, names_at, debug_bytes),
        (13, names_at, 0),
        (21, names_at, 7),
        (27, comment_at, len(said)),
        (0, names_at, len(names)),
    ]
    body = dynamic + strings + names + said + b"".join(_section(*section, wide) for section in sections)
    address = base + (8 if misaligned else 0)
    size = dynamic_at + len(body)
    segments = [
        _segment(1, 0, address, size, wide),
        _segment(2, dynamic_at, base + dynamic_at, len(dynamic), wide),
    ]
    header_size, segment_size, section_size = (64, 56, 64) if wide else (52, 32, 40)
    header = struct.pack(
        "<16sHHI" + ("QQQ" if wide else "III") + "IHHHHHH",
        b"\x7fELF" + bytes([2 if wide else 1, 1, 1]),
        *(3, 62 if wide else 3, 1, 0, header_size, sections_at, 0),
        *(header_size, segment_size, len(segments), section_size, len(sections), len(sections) - 1),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((header + b"".join(segments)).ljust(dynamic_at, b"\0") + body)
    return path


def _segment(kind: int, offset: int, address: int, size: int, wide: bool) -> bytes:
    if wide:
        return struct.pack("<IIQQQQQQ", kind, 5, offset, address, address, size, size, 0x1000)
    return struct.pack("<IIIIIIII", kind, offset, address, address, size, size, 5, 0x1000)


def _section(name: int, offset: int, size: int, wide: bool) -> bytes:
    return struct.pack("<IIQQQQIIQQ" if wide else "<IIIIIIIIII", name, 1, 0, 0, offset, size, 0, 0, 1, 0)
