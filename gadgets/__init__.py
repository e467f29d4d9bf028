"""What is computed: gadgets, the stream they speak, and the numerics behind them."""

import os

# Threads of a computation that wait for each other must sleep: gadgets share their cores with one another, and where
# they wait in a loop instead (the default of torch's OpenMP), a Fourier transform of 2 ms was seen to take 520 ms as
# soon as another process was busy. OpenMP reads this once, when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
