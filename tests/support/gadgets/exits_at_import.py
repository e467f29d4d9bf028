import sys

sys.exit("gone at import")
