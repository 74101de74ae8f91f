"""Reads what matters of an ELF file (gABI, chapters 4 and 5): segments, needed libraries, symbols."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_COMMENT_BYTES = 65_536
_DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 14, 15, 29


class NotElf(ValueError):
    """The file is not ELF, or is cut off."""


class Elf:
    """One ELF file. Attributes hold plain values; sizes are bytes."""

    def __init__(self, path: str) -> None:
        """Reads the headers, and only them. Raises NotElf, or OSError when the file cannot be read."""
        self.path = path
        self.needed: list[str] = []
        self.soname = ""
        self.rpath: list[str] = []
        self.runpath: list[str] = []
        self.interpreter = ""
        self.strippable_bytes = 0
        self.compilers: list[str] = []
        """What each part of it says that GCC made it, `GCC: (Debian 12.2.0-14) 12.2.0`."""
        self._loads: list[tuple[int, int, int, int]] = []
        with open(path, "rb") as file:
            self._file: BinaryIO = file
            self._size = os.fstat(file.fileno()).st_size
            try:
                self._read_header()
                self._read_segments()
                self._read_sections()
            except (struct.error, IndexError, ValueError, OverflowError) as error:
                raise NotElf(path) from error
            finally:
                del self._file

    @property
    def misaligned(self) -> bool:
        """Whether the dynamic loader refuses it: file offset and address differ within the page."""
        return any(
            align > 1 and (offset - address) % align for offset, address, _file_bytes, align in self._loads
        )

    @property
    def truncated(self) -> bool:
        """Whether a segment lies beyond the end of the file."""
        return any(offset + file_bytes > self._size for offset, _address, file_bytes, _align in self._loads)

    def _at(self, offset: int, length: int) -> bytes:
        """At most the bytes that there are: what a damaged header claims must not be allocated."""
        self._file.seek(offset)
        return self._file.read(min(length, self._size))

    def _read_header(self) -> None:
        start = self._at(0, 64)
        if start[:4] != b"\x7fELF" or start[4] not in (1, 2) or start[5] not in (1, 2):
            raise NotElf(self.path)
        self._wide = start[4] == 2
        self._order = "<" if start[5] == 1 else ">"
        layout = "HHIQQQIHHHHHH" if self._wide else "HHIIIIIHHHHHH"
        fields = struct.unpack_from(self._order + layout, start, 16)
        self._segment_offset, self._section_offset = fields[4], fields[5]
        self._segment_size, self._segment_count = fields[8], fields[9]
        self._section_size, self._section_count, self._names_index = fields[10], fields[11], fields[12]

    def _read_segments(self) -> None:
        table = self._at(self._segment_offset, self._segment_size * self._segment_count)
        dynamic = None
        for index in range(self._segment_count):
            start = index * self._segment_size
            if self._wide:
                kind, _flags, offset, address, _, file_bytes, _, align = struct.unpack_from(
                    self._order + "IIQQQQQQ", table, start
                )
            else:
                kind, offset, address, _, file_bytes, _, _flags, align = struct.unpack_from(
                    self._order + "IIIIIIII", table, start
                )
            if kind == _PT_LOAD:
                self._loads.append((offset, address, file_bytes, align))
            elif kind == _PT_DYNAMIC:
                dynamic = (offset, file_bytes)
            elif kind == _PT_INTERP:
                self.interpreter = self._at(offset, file_bytes).rstrip(b"\0").decode()
        if dynamic:
            self._read_dynamic(*dynamic)

    def _read_dynamic(self, offset: int, length: int) -> None:
        entry = struct.Struct(self._order + ("qQ" if self._wide else "iI"))
        data = self._at(offset, length)
        entries = list(entry.iter_unpack(data[: len(data) - len(data) % entry.size]))
        strings = next((value for tag, value in entries if tag == _DT_STRTAB), None)
        if strings is None:
            return
        base = self._file_offset(strings)
        for tag, value in entries:
            if tag == 0:
                break
            if tag == _DT_NEEDED:
                self.needed.append(self._string(base + value))
            elif tag == _DT_SONAME:
                self.soname = self._string(base + value)
            elif tag == _DT_RPATH:
                self.rpath = self._string(base + value).split(":")
            elif tag == _DT_RUNPATH:
                self.runpath = self._string(base + value).split(":")

    def _file_offset(self, address: int) -> int:
        for offset, start, file_bytes, _align in self._loads:
            if start <= address < start + file_bytes:
                return address - start + offset
        raise NotElf(self.path)

    def _string(self, offset: int) -> str:
        data = b""
        while b"\0" not in data:
            chunk = self._at(offset + len(data), 256)
            if not chunk:
                raise NotElf(self.path)
            data += chunk
        return os.fsdecode(data.partition(b"\0")[0])

    def _read_sections(self) -> None:
        """Adds up what `strip` removes, symbol and debug sections; reads the compilers. The table may be missing."""
        if not self._section_offset or not self._section_count:
            return
        layout = struct.Struct(self._order + ("IIQQQQIIQQ" if self._wide else "IIIIIIIIII"))
        table = self._at(self._section_offset, self._section_size * self._section_count)
        if len(table) < self._section_size * self._section_count:
            return
        sections = [
            layout.unpack_from(table, index * self._section_size) for index in range(self._section_count)
        ]
        _, _, _, _, names_offset, names_bytes, *_ = sections[self._names_index]
        names = self._at(names_offset, names_bytes)
        for name_offset, _kind, _flags, _address, offset, size, *_ in sections:
            name = names[name_offset:].partition(b"\0")[0]
            if name in (b".symtab", b".strtab") or name.startswith((b".debug", b".zdebug")):
                self.strippable_bytes += size
            elif name == b".comment":
                said = self._at(offset, min(size, _COMMENT_BYTES)).decode("utf-8", "replace").split("\0")
                self.compilers += [each for each in said if each.startswith("GCC: ")]


def read_elf(path: str) -> Elf | None:
    """The ELF file at `path`; None when it is none or cannot be read."""
    try:
        return Elf(path)
    except (NotElf, OSError):
        return None


def may_be_elf(name: str, mode: int) -> bool:
    """Whether a file of that name and mode is worth opening: a library or something executable."""
    return ".so" in name or bool(mode & 0o111)
