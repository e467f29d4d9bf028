"""Networks, building blocks only: what a paper makes of them is a method.

Networks for images take and return complex images (*other, channel, z, y, x), plane by plane, of any size.
"""
