# bulkhead run examples/plot.py, with `npm start` running in another terminal: writes plot-1.png.
import matplotlib.pyplot as plt
import numpy as np

time = np.linspace(0, 4 * np.pi, 400)
plt.plot(time, np.sin(time), label="sine")
plt.plot(time, np.exp(-time / 6) * np.sin(3 * time), label="fading")
plt.title("Drawn in a sandbox")
plt.xlabel("time")
plt.legend()
plt.show()
print("drew", len(time), "points")
