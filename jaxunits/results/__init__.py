"""What is measured: labelled arrays with provenance, and the folder that holds them."""

from ._files import no_space as no_space
from ._files import write_atomically as write_atomically
from ._netcdf import read as read
from ._netcdf import write as write
from ._provenance import environment as environment
from ._provenance import fingerprint as fingerprint
from ._provenance import raise_if_different as raise_if_different
from ._run_folder import RunFolder as RunFolder
from ._run_folder import read_json as read_json
