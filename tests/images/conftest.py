import pytest

from densezero.errors import InputError
from densezero.images import read_rgb


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, name="picture.bin"):
        path = tmp_path / name
        path.write_bytes(content)
        return read_rgb(path)

    return write_and_read


@pytest.fixture
def refuse(tmp_path):
    def write_and_fail(content, name="picture.bin"):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_rgb(path)
        assert str(caught.value).startswith(f"{path}: expected")
        return str(caught.value)

    return write_and_fail
