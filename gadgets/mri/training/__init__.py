"""Where networks are trained: scans simulated from images, losses, the loop, and the record of what came out.

Everything random is drawn from a `numpy.random.Generator` that is handed in, so that one seed gives one training.
"""
