"""Weights from and for other libraries: PyTorch, safetensors, timm and Keras."""

from ._load import load_weights as load_weights
from ._save import save_weights as save_weights
