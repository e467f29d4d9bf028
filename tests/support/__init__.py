"""What tests share: streams in memory, small headers and acquisitions."""
