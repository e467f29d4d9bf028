"""What a scan says about its own receiver: noise, coil compression, calibration region, sensitivities."""
