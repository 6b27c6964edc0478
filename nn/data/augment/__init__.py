"""More data than there are: samples changed at random, such that they still mean the same.

    augment = nn.data.Augment([RandomRotation(15), RandomTranslation(0.1, 0.1), Cutout(3)])
    loader = nn.data.DataLoader(x, y, batch_size=64, shuffle=True, transform=augment)
    model = nn.Sequential([RandomFlip(), nn.Conv2D(32, 3), …])  # or as layers

Images are (N, H, W, C), floats; sequences (N, T, F), or tokens (N, T). Each sample is changed in
its own way, all of a batch in one go, and only in training. The random numbers are
`autograd.random`'s, so that a seed, or a resumed loader, gives the same again.
"""

from .base import Augment, Augmentation
from .images import Cutout, RandomBrightness, RandomContrast, RandomCrop, RandomFlip, RandomNoise
from .mixing import CutMix, Mixup
from .sequences import Scaling, TimeMask, TokenDropout
from .warp import RandomAffine, RandomRotation, RandomTranslation, RandomZoom

__all__ = [
    "Augment", "Augmentation", "RandomFlip", "RandomCrop", "RandomRotation", "RandomZoom",
    "RandomTranslation", "RandomAffine", "RandomBrightness", "RandomContrast", "RandomNoise",
    "Cutout", "Mixup", "CutMix", "Scaling", "TimeMask", "TokenDropout",
]  # fmt: skip
