"""The engine under `nn` must be Glassgrad's `autograd`, and not another package of that name."""

import autograd

if not (hasattr(autograd, "Tensor") and hasattr(autograd, "Value")):
    raise ImportError(
        "nn needs Glassgrad's autograd, but `import autograd` found another package in "
        f"{getattr(autograd, '__file__', None) or list(autograd.__path__)}. HIPS's autograd has "
        "the same name: pip uninstall autograd, then pip install --force-reinstall glassgrad."
    )
