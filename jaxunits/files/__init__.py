"""Files that are whole or not there: written under a temporary name, sealed, locked by one job."""

from ._files import no_space as no_space
from ._files import read_regular as read_regular
from ._files import remove_partial as remove_partial
from ._files import write_atomically as write_atomically
from ._hold import hold as hold
from ._json import read_json as read_json
from ._json import write_json as write_json
from ._seal import DamagedError as DamagedError
from ._seal import seal as seal
from ._seal import seal_settings as seal_settings
from ._seal import unseal as unseal
from ._seal import unseal_settings as unseal_settings
