"""What a unit responds to, read from its activations, its weights and the loss."""

from ._choices import Choices as Choices
from ._choices import Options as Options
from ._collect import Attributes as Attributes
from ._collect import collect as collect
from ._collect import collect_settings as collect_settings
from ._correlation import class_correlation as class_correlation
from ._dissect import dissect as dissect
from ._l1_norm import l1_norm as l1_norm
from ._selectivity import class_selectivity as class_selectivity
from ._top_images import top_images as top_images
