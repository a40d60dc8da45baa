"""Image files of every kind that lies about itself, against Pillow and arithmetic."""

import contextlib
import errno
import io
import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jaxunits as ju
from jaxunits.data._decoding import decode
from jaxunits.data.concepts._files import read_image, read_mask

GRAY = np.random.default_rng(0).integers(0, 256, (6, 8), np.uint8)
COLOR = np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8)
OTHERS = ["GIF", "TIFF", "EPS", "BMP", "PPM", "WEBP", "PCX", "ICO"]


def encoded(pixels, kind, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def message(function, *args):
    with pytest.raises(ju.InputError) as caught:
        function(*args)
    return str(caught.value)


def png(width, height, depth, color, rows):
    """A PNG by hand: rows of packed bytes."""

    def chunk(name, content):
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = chunk(b"IHDR", header), chunk(b"IDAT", packed), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("name", ["cat.png", "cat.jpg"])
class TestOtherFormatsUnderABorrowedName:
    def test_in_class_folders(self, tmp_path, kind, name):
        path = tmp_path / "ape" / name
        path.parent.mkdir()
        path.write_bytes(encoded(COLOR, kind))
        source = f"folder:{tmp_path}"
        later = ju.data.load(source, channels=3, verify=False)
        for found in (message(ju.data.load, source), message(later.source.__getitem__, 0)):
            assert found == (
                f"image file {path} cannot be decoded (its content is {kind}, not PNG or JPEG): "
                "replace or delete it, or load the folder with on_corrupt='skip'"
            )

    def test_as_images_masks_and_records(self, tmp_path, kind, name):
        content = encoded(COLOR, kind)
        path = tmp_path / name
        path.write_bytes(content)
        assert f"its content is {kind}, not PNG or JPEG" in message(read_image, path, 3)
        assert f"its content is {kind}, not PNG" in message(read_mask, path, "mask")
        assert f"its content is {kind}, not PNG" in message(read_mask, content, "mask")
        assert f"its content is {kind}, not PNG or JPEG" in message(decode, content, 3, "record 0")


def test_postscript_is_handed_to_no_interpreter(tmp_path, monkeypatch):
    """Any program called `gs` on the path would be started."""
    interpreter = tmp_path / "gs"
    interpreter.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    interpreter.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    assert "its content is EPS" in message(decode, content, None, "cat.png")
    assert "its content is EPS" in message(read_mask, content, "mask.png")
    assert not (tmp_path / "ran").exists()
    # The same file where any format is tried: this is what the test is worth.
    with contextlib.suppress(OSError), Image.open(io.BytesIO(content)) as image:
        image.load()
    assert (tmp_path / "ran").exists()


@pytest.fixture(params=["named pipe", "directory", "socket", "device", "gone", "loop"])
def oddity(request, tmp_path):
    """Something that is no file but called like an image, and what is said of it."""
    path = tmp_path / "ape" / "1.png"
    path.parent.mkdir()
    (tmp_path / "ape" / "0.png").write_bytes(encoded(GRAY, "PNG"))
    if request.param == "named pipe":
        os.mkfifo(path)
    elif request.param == "directory":
        path.mkdir()
    elif request.param == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            before = Path.cwd()
            # Paths of sockets may have a hundred bytes.
            os.chdir(path.parent)
            server.bind(path.name)
            os.chdir(before)
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    else:
        path.symlink_to("nowhere.png" if request.param == "gone" else path.name)
    said = {
        "gone": "it is a broken link",
        "loop": os.strerror(errno.ELOOP),
        "socket": os.strerror(errno.ENXIO),
    }
    return path, said.get(request.param, "it is not a regular file")


class TestWhatIsNoFile:
    def test_is_named(self, oddity):
        path, said = oddity
        found = message(ju.data.load, f"folder:{path.parent.parent}")
        assert found.startswith(f"image file {path} cannot be decoded ({said}): replace or delete")

    def test_is_skipped(self, oddity):
        path, _ = oddity
        data = ju.data.load(f"folder:{path.parent.parent}", on_corrupt="skip")
        assert data.skipped == ("ape/1.png",)
        assert len(data) == 1
        np.testing.assert_array_equal(data[0]["image"][..., 0], GRAY)

    def test_is_named_when_it_is_reached(self, oddity):
        path, said = oddity
        data = ju.data.load(f"folder:{path.parent.parent}", channels=1, verify=False)
        assert f"{path} cannot be decoded ({said})" in message(data.source.__getitem__, 1)


def test_an_error_of_the_system_is_not_the_images(tmp_path, monkeypatch):
    """Else images were left out because too many files are open."""
    (tmp_path / "ape").mkdir()
    (tmp_path / "ape" / "0.png").write_bytes(encoded(GRAY, "PNG"))

    system_open = os.open

    def full(path, *flags, **others):
        if str(path).endswith("0.png"):
            raise OSError(errno.EMFILE, "Too many open files")
        return system_open(path, *flags, **others)

    with monkeypatch.context() as patched:
        patched.setattr("jaxunits.data._decoding.os.open", full)
        with pytest.raises(OSError, match="Too many open files"):
            ju.data.load(f"folder:{tmp_path}", on_corrupt="skip")


class TestDepths:
    def test_gray_of_16_bits_is_scaled(self):
        values = np.linspace(0, 65535, 48).round().astype(np.uint16).reshape(6, 8)
        content = encoded(values, "PNG")
        expected = np.rint(values.astype(np.float64) / 65535 * 255)
        np.testing.assert_array_equal(decode(content, None, "image")[..., 0], expected)
        np.testing.assert_array_equal(decode(content, 3, "image")[..., 2], expected)

    def test_every_gray_of_16_bits(self):
        values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
        found = decode(encoded(values, "PNG"), 1, "image")[..., 0]
        np.testing.assert_array_equal(found, np.rint(values.astype(np.float64) / 257))

    def test_color_of_16_bits(self):
        values = np.arange(0, 65536, 683, np.uint16)[:96].reshape(4, 8, 3)
        content = png(8, 4, 16, 2, [row.astype(">u2").tobytes() for row in values])
        found = decode(content, None, "image").astype(np.float64)
        np.testing.assert_allclose(found, values / 257, atol=1)

    @pytest.mark.parametrize("depth", [1, 2, 4])
    def test_gray_of_few_bits(self, depth):
        most = 2**depth - 1
        values = np.arange(8) % (most + 1)
        bits = "".join(f"{value:0{depth}b}" for value in values)
        row = int(bits, 2).to_bytes(len(bits) // 8, "big")
        content = png(8, 2, depth, 0, [row, row])
        found = decode(content, None, "image")[..., 0]
        np.testing.assert_array_equal(found, np.tile(values * 255 // most, (2, 1)))
        # A mask's numbers are what the file stores, not brightness.
        np.testing.assert_array_equal(read_mask(content, "mask")[..., 0], np.tile(values, (2, 1)))

    def test_masks_of_16_bits(self):
        values = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000
        np.testing.assert_array_equal(read_mask(encoded(values, "PNG"), "m")[..., 0], values)
        content = png(1, 1, 16, 2, [b"\0\1\0\2\0\3"])
        assert message(read_mask, content, "mask 7") == (
            "mask 7 has several channels of 16 bits: save it with 8 bits per channel"
        )

    def test_masks_are_never_jpeg(self):
        assert "its content is JPEG, not PNG" in message(read_mask, encoded(GRAY, "JPEG"), "mask")


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_damaged_files_are_read_or_refused(kind):
    random = np.random.default_rng(0)
    whole = encoded(COLOR, kind)
    refused = []
    for _ in range(300):
        content = bytearray(whole[: random.integers(len(whole) // 2, len(whole))])
        for place in random.integers(0, len(content), 4):
            content[place] = random.integers(256)
        try:
            assert decode(bytes(content), None, "image").dtype == np.uint8
        except ju.InputError as error:
            refused.append(str(error))
    assert len(refused) > 30
    assert all(said.startswith("image cannot be decoded (") for said in refused)
