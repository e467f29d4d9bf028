"""What is computed: gadgets, the stream they speak, and the numerics behind them."""
