"""The host: runs a pipeline where no Gadgetron is installed, and speaks Gadgetron's protocol."""
