"""Image folders by format, depth, color and orientation, against Pillow."""

import dataclasses
import inspect
import io
from typing import get_args

import numpy as np
import pytest
from PIL import Image, ImageOps

import jaxunits as ju
from jaxunits._reading import Format, Reading
from jaxunits.data._decoding import SUFFIXES, decode
from jaxunits.data.concepts._files import read_image

RANDOM = np.random.default_rng(0)
COLOR = RANDOM.integers(0, 256, (6, 9, 3), np.uint8)
GRAY = RANDOM.integers(0, 256, (6, 9), np.uint8)
LOSSLESS = {"WEBP": {"lossless": True}, "BMP": {}, "TIFF": {}}
SUFFIX = {"WEBP": "webp", "BMP": "bmp", "TIFF": "TIF", "PNG": "png", "JPEG": "jpg"}


def encoded(image, kind, **options):
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(
        file, kind, **options
    )
    return file.getvalue()


def save(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def message(function, *args, **kwargs):
    with pytest.raises(ju.InputError) as caught:
        function(*args, **kwargs)
    return str(caught.value)


@pytest.fixture
def mixed(tmp_path):
    """A PNG, and files of three other formats."""
    save(tmp_path / "ape" / "0.png", encoded(COLOR, "PNG"))
    for kind, options in LOSSLESS.items():
        save(tmp_path / "bee" / f"0.{SUFFIX[kind]}", encoded(COLOR, kind, **options))
    return tmp_path


def test_the_programs_options_are_those_of_load():
    given = inspect.signature(ju.data.load).parameters
    for field in dataclasses.fields(Reading):
        assert field.default == given[field.name].default
    # A function's images have their names, and whether they are standardized, from there.
    assert {*given} - {field.name for field in dataclasses.fields(Reading)} == {
        *("source", "split", "class_names", "relist", "normalized")
    }
    assert get_args(Format) == tuple(SUFFIXES)


class TestFormats:
    def test_are_read_by_option(self, mixed):
        data = ju.data.load(f"folder:{mixed}", formats=["png", "webp", "bmp", "tiff"])
        assert data.labels.tolist() == [0, 1, 1, 1]
        for index in range(4):
            np.testing.assert_array_equal(data[index]["image"], COLOR)

    def test_others_are_named_with_the_option_that_reads_them(self, mixed):
        assert message(ju.data.load, f"folder:{mixed}") == (
            f"3 files (bee/0.TIF, bee/0.bmp, bee/0.webp) of folder {mixed} of other formats than "
            "PNG or JPEG: give formats=['PNG', 'JPEG', 'WEBP', 'BMP', 'TIFF'], or convert or "
            "remove them, or leave them out with on_corrupt='skip'"
        )
        unverified = message(ju.data.load, f"folder:{mixed}", verify=False, channels=3)
        assert unverified.startswith("3 files (bee/0.TIF, ")

    def test_what_is_never_read_is_named_too(self, mixed):
        for number in range(7):
            save(mixed / "ape" / f"{number}.heic", b"")
        said = message(ju.data.load, f"folder:{mixed}", formats=["PNG", "WEBP", "BMP", "TIFF"])
        assert said.startswith(
            "7 files (ape/0.heic, ape/1.heic, ape/2.heic, ape/3.heic, ape/4.heic, …) of folder"
        )
        assert "than PNG, WEBP, BMP or TIFF: convert or remove them" in said

    def test_others_can_be_skipped_and_are_listed(self, mixed):
        data = ju.data.load(f"folder:{mixed}", formats=["PNG", "BMP"], on_corrupt="skip")
        assert data.skipped == ("bee/0.TIF", "bee/0.webp")
        assert data.labels.tolist() == [0, 1]
        assert (
            data.fingerprint
            != ju.data.load(
                f"folder:{mixed}", formats=["PNG", "BMP", "TIFF"], on_corrupt="skip"
            ).fingerprint
        )

    def test_many_that_cannot_be_decoded_are_counted(self, mixed):
        for name in "abc":
            save(mixed / "ape" / f"{name}.png", b"damaged")
        said = message(ju.data.load, f"folder:{mixed}", formats=["PNG", "BMP", "TIFF", "WEBP"])
        assert f"image file {mixed / 'ape' / 'a.png'} cannot be decoded" in said
        assert said.endswith(". Nor can 2 files (ape/b.png, ape/c.png) be decoded")

    @pytest.mark.parametrize(
        ("formats", "text"),
        [
            ("PNG", "formats='PNG': give a list"),
            ([], r"formats=[]: name at least one of PNG, JPEG, WEBP, BMP, TIFF"),
            (["EPS"], "unknown format 'EPS': ju.data.load of a folder has PNG, JPEG, WEBP"),
        ],
    )
    def test_that_do_not_exist(self, mixed, formats, text):
        assert text in message(ju.data.load, f"folder:{mixed}", formats=formats)

    def test_postscript_stays_closed(self, tmp_path):
        """Whatever formats are asked for."""
        content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n%%EOF\n"
        save(tmp_path / "ape" / "0.tif", content)
        said = message(ju.data.load, f"folder:{tmp_path}", formats=list(SUFFIX))
        assert "its content is EPS, not PNG, JPEG, WEBP, BMP or TIFF" in said


def oriented(kind, orientation):
    """A file with an EXIF orientation, of large even fields that JPEG hardly changes."""
    fields = np.kron(np.arange(6).reshape(2, 3) * 40, np.ones((16, 16))).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = Image.fromarray(np.stack([fields, 255 - fields, fields // 2], -1))
    return encoded(picture, kind, exif=exif, **options)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_is_that_of_pillows_transposition(self, kind, orientation, tmp_path):
        content = oriented(kind, orientation)
        save(tmp_path / "ape" / f"0.{SUFFIX[kind]}", content)
        data = ju.data.load(f"folder:{tmp_path}", formats=[kind])
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
        np.testing.assert_array_equal(data[0]["image"], np.asarray(upright))
        # The first field is the darkest, where it is upright.
        first = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0)}
        first |= {5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
        assert data[0]["image"][first[orientation]][0] < 10
        assert data[0]["image"].shape[:2] == ((32, 48) if orientation < 5 else (48, 32))

    def test_can_be_left_as_stored(self, kind, tmp_path):
        content = oriented(kind, 6)
        save(tmp_path / "ape" / f"0.{SUFFIX[kind]}", content)
        source = f"folder:{tmp_path}"
        data = ju.data.load(source, formats=[kind], orientation="stored")
        # As torchvision's loader reads it.
        expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        np.testing.assert_array_equal(data[0]["image"], expected)
        assert data.fingerprint != ju.data.load(source, formats=[kind]).fingerprint


def test_an_orientation_that_does_not_exist(tmp_path):
    save(tmp_path / "ape" / "0.png", encoded(GRAY, "PNG"))
    said = message(ju.data.load, f"folder:{tmp_path}", orientation="upright")
    assert said.startswith("orientation='upright': give 'exif' (upright")


@pytest.mark.parametrize("value", [0, 9, 200])
def test_orientations_beyond_the_eight_turn_nothing(value):
    exif = Image.Exif()
    exif[0x0112] = value
    content = encoded(COLOR, "PNG", exif=exif)
    np.testing.assert_array_equal(decode(content, None, "image", upright=True), COLOR)


def test_damaged_metadata_turn_nothing():
    content = encoded(COLOR, "PNG", exif=b"Exif\0\0MM\0\x2a\xff\xff\xff\xff damaged")
    with pytest.warns(UserWarning, match="Corrupt EXIF data"):
        found = decode(content, None, "image", upright=True)
    np.testing.assert_array_equal(found, COLOR)


def test_images_with_masks_are_refused_where_they_may_lie_either_way(tmp_path):
    path = tmp_path / "0.jpg"
    save(path, oriented("JPEG", 8))
    assert "has the EXIF orientation 8, and its masks may be drawn either" in message(
        read_image, path, 3
    )
    save(path, oriented("JPEG", 1))
    assert read_image(path, 3).shape == (32, 48, 3)


class TestColors:
    @pytest.mark.parametrize(
        ("mode", "kind"),
        [
            *(("CMYK", "JPEG"), ("CMYK", "TIFF"), ("YCbCr", "TIFF"), ("P", "PNG"), ("P", "BMP")),
            *(("RGBA", "PNG"), ("RGBA", "WEBP"), ("RGBA", "TIFF"), ("LA", "PNG"), ("1", "TIFF")),
        ],
    )
    def test_are_those_of_torchvisions_loader(self, mode, kind):
        picture = Image.fromarray(COLOR).convert(mode)
        if "A" in mode:
            picture.putalpha(Image.fromarray(GRAY))
        options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        content = encoded(picture, kind, **options)
        expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        found = decode(content, 3, "image", formats=(kind,))
        np.testing.assert_array_equal(found, expected)
        gray = mode in ("LA", "1")
        assert decode(content, None, "image", formats=(kind,)).shape[-1] == (1 if gray else 3)

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("compression", [None, "tiff_lzw"])
    def test_gray_tiff_of_16_bits_is_scaled(self, order, compression):
        values = np.linspace(0, 65535, 48).round().astype(np.uint16).reshape(6, 8)
        picture = Image.fromarray(values)
        if order == ">":
            picture = picture.convert("I").convert("I;16B")
        content = encoded(picture, "TIFF", compression=compression)
        found = decode(content, None, "image", formats=("TIFF",))
        np.testing.assert_array_equal(found[..., 0], (values / 257).round().astype(np.uint8))

    @pytest.mark.parametrize("values", [GRAY.astype(np.int32), GRAY.astype(np.float32)])
    def test_numbers_of_32_bits_are_refused(self, values):
        content = encoded(Image.fromarray(values), "TIFF")
        said = message(decode, content, None, "image file x.tif", formats=("TIFF",))
        assert said.startswith("image file x.tif cannot be decoded (its pixels are ")
        assert ";32" in said

    def test_of_lab_are_refused(self):
        content = encoded(Image.new("LAB", (4, 4)), "TIFF")
        said = message(decode, content, None, "image", formats=("TIFF",))
        assert "cannot be decoded (its pixels are LAB)" in said

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
    def test_of_several_frames_the_first_is_read(self, kind):
        frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert Image.open(io.BytesIO(content)).n_frames == 2
        found = decode(content, None, "image", formats=(kind,)).astype(int)
        np.testing.assert_allclose(found, np.broadcast_to([255, 0, 0], found.shape), atol=2)

    def test_of_a_camera_that_stores_several_pictures(self):
        frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
        content = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
        found = decode(content, None, "image").astype(int)
        np.testing.assert_allclose(found, np.broadcast_to([255, 0, 0], found.shape), atol=2)
