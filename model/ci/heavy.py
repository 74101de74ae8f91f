"""Which of an image's packages are heavy, and what is gone when some are not installed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from phasewise.model.census import Census
from phasewise.model.python.installers import BROUGHT_ALONG

FRAMEWORKS = (
    "torch",
    "torchvision",
    "torchaudio",
    "triton",
    "tensorflow",
    "tensorflow-cpu",
    "tensorflow-gpu",
    "keras",
    "jax",
    "jaxlib",
    "mxnet",
    "paddlepaddle",
    "onnxruntime",
    "onnxruntime-gpu",
    "transformers",
    "sentence-transformers",
    "accelerate",
    "bitsandbytes",
    "vllm",
    "xformers",
    "deepspeed",
    "diffusers",
    "peft",
    "spacy",
    "xgboost",
    "lightgbm",
    "catboost",
    "faiss-cpu",
    "faiss-gpu",
    "prophet",
    "pytorch-lightning",
    "lightning",
)
"""Machine-learning packages in the order in which they are offered; their sizes come from the census."""

NUMERIC = (
    "scikit-learn",
    "scipy",
    "pandas",
    "pyarrow",
    "opencv-python",
    "opencv-python-headless",
    "scikit-image",
    "matplotlib",
    "numba",
    "llvmlite",
    "polars",
    "numpy",
)
"""Other packages that are offered before a census tells their size."""

NEEDS: Mapping[str, tuple[str, ...]] = {
    "accelerate": ("torch", "numpy"),
    "catboost": ("numpy", "pandas", "scipy", "matplotlib"),
    "diffusers": ("numpy",),
    "faiss-cpu": ("numpy",),
    "jax": ("jaxlib", "numpy", "scipy"),
    "jaxlib": ("numpy", "scipy"),
    "keras": ("numpy",),
    "lightgbm": ("numpy", "scipy"),
    "lightning": ("torch", "pytorch-lightning"),
    "matplotlib": ("numpy",),
    "numba": ("llvmlite", "numpy"),
    "onnxruntime": ("numpy",),
    "opencv-python": ("numpy",),
    "opencv-python-headless": ("numpy",),
    "pandas": ("numpy",),
    "peft": ("torch", "transformers", "accelerate", "numpy"),
    "prophet": ("numpy", "pandas", "matplotlib"),
    "pytorch-lightning": ("torch",),
    "scikit-image": ("numpy", "scipy"),
    "scikit-learn": ("numpy", "scipy"),
    "scipy": ("numpy",),
    "sentence-transformers": ("torch", "transformers", "scikit-learn", "scipy", "numpy"),
    "spacy": ("numpy",),
    "tensorflow": ("keras", "numpy"),
    "torch": ("triton",),
    "torchaudio": ("torch",),
    "torchvision": ("torch", "numpy"),
    "transformers": ("numpy",),
    "xgboost": ("numpy", "scipy"),
}
"""What of these packages needs which, where no census tells; from the metadata on PyPI, 2025."""

MODULES = {
    "faiss-cpu": "faiss",
    "faiss-gpu": "faiss",
    "onnxruntime-gpu": "onnxruntime",
    "opencv-python": "cv2",
    "opencv-python-headless": "cv2",
    "paddlepaddle": "paddle",
    "pillow": "PIL",
    "pytorch-lightning": "pytorch_lightning",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "tensorflow-cpu": "tensorflow",
    "tensorflow-gpu": "tensorflow",
}
"""Names under which packages are imported, where no census knows and the package's own name is not it."""

HEAVY_BYTES = 10_000_000
HEAVY_SHARE = 0.05


def is_framework(name: str) -> bool:
    """Whether it is a machine-learning framework, or a library that only those bring along."""
    return name in FRAMEWORKS or name.startswith("nvidia-")


class Packages(Struct, frozen=True):
    """The packages of an image: what each needs, how large it is, what it is imported as."""

    needs: Mapping[str, tuple[str, ...]]
    sizes: Mapping[str, int] | None
    """Bytes; None without a census."""
    versions: Mapping[str, str]
    modules: Mapping[str, tuple[str, ...]]
    """Top-level modules."""

    @classmethod
    def of(cls, names: Collection[str], census: Census | None) -> Packages:
        """What the census holds; without one that looked inside, `names` as far as they are known."""
        if census is None or not census.distributions:
            needs = {name: tuple(other for other in NEEDS.get(name, ()) if other in names) for name in names}
            return cls(needs, None, {}, {name: (_module(name),) for name in names})
        sizes: dict[str, int] = {}
        for each in census.distributions:
            sizes[each.name] = sizes.get(each.name, 0) + each.size_bytes
        public = {
            each.name: tuple(m for m in each.imports if m.isidentifier() and not m.startswith("_"))
            for each in census.distributions
        }
        return cls(
            {each.name: each.requires for each in census.distributions},
            sizes,
            {each.name: each.version for each in census.distributions},
            {name: public.get(name) or (_module(name),) for name in (*public, *names)},
        )

    def reached(self, roots: Iterable[str], without: str = "") -> frozenset[str]:
        """What is installed for `roots`, themselves included, not counting the ways through `without`."""
        found: set[str] = set()
        todo = [root for root in roots if root in self.needs]
        while todo:
            name = todo.pop()
            if name not in found and name != without:
                found.add(name)
                todo += [other for other in self.needs[name] if other in self.needs]
        return frozenset(found)

    def gone(self, kept: Iterable[str], left_out: Iterable[str]) -> frozenset[str]:
        """What is not installed any more when `left_out` are not asked for and `kept` are."""
        return self.reached(left_out) - self.reached(kept) - BROUGHT_ALONG

    def exclusive(self, root: str, roots: Iterable[str]) -> frozenset[str]:
        """`root` and the packages that it alone of `roots` needs."""
        others = self.reached((each for each in roots if each != root), without=root)
        return self.reached([root]) - others - BROUGHT_ALONG | {root}

    def size(self, names: Collection[str]) -> int | None:
        """Bytes of the packages; None without a census."""
        return None if self.sizes is None else sum(self.sizes.get(name, 0) for name in names)

    @property
    def total_bytes(self) -> int:
        """Bytes of all packages; 0 without a census."""
        return sum((self.sizes or {}).values())

    def is_heavy(self, names: Collection[str], gone: Collection[str] = ()) -> bool:
        """At least 10 MB, and 5 % of all packages but `gone`: less is not worth a second list. False without a census.

        Beside PyTorch nothing weighs 5 %; once that is gone, scipy is a third of what is left.
        """
        if self.sizes is None:
            return False
        rest_bytes = self.total_bytes - (self.size(gone) or 0)
        return (self.size(names) or 0) >= max(HEAVY_BYTES, HEAVY_SHARE * rest_bytes)


def _module(name: str) -> str:
    return MODULES.get(name, name.replace("-", "_"))
