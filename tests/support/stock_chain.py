"""Gadgetron's Generic_Cartesian_Grappa.xml: class names, and every property that it sets."""

from __future__ import annotations

_DEBUG = {"debug_folder": "", "perform_timing": "true", "verbose": "true"}
_SKIP = {"skip_processing_meta_field": "Skip_processing_after_recon"}
_FILTERS = {
    f"filter{axis}{what}": value
    for axis in ("RO", "E1", "E2")
    for what, value in (("", "Gaussian"), ("_sigma", "1.0"), ("_width", "0.15"))
}

GADGETS: dict[str, dict[str, str]] = {
    "NoiseAdjustGadget": {},
    "AsymmetricEchoAdjustROGadget": {},
    "RemoveROOversamplingGadget": {},
    "AcquisitionAccumulateTriggerGadget": {"trigger_dimension": "", "sorting_dimension": ""},
    "BucketToBufferGadget": {
        "N_dimension": "contrast",
        "S_dimension": "average",
        "split_slices": "false",
        "ignore_segment": "true",
        "verbose": "true",
    },
    "GenericReconCartesianReferencePrepGadget": _DEBUG
    | {"average_all_ref_N": "true", "average_all_ref_S": "true", "prepare_ref_always": "true"},
    "GenericReconEigenChannelGadget": _DEBUG
    | {
        "average_all_ref_N": "true",
        "average_all_ref_S": "true",
        "upstream_coil_compression": "true",
        "upstream_coil_compression_thres": "0.002",
        "upstream_coil_compression_num_modesKept": "0",
    },
    "GenericReconCartesianGrappaGadget": _DEBUG
    | {
        "image_series": "0",
        "coil_map_algorithm": "Inati",
        "downstream_coil_compression": "true",
        "downstream_coil_compression_thres": "0.01",
        "downstream_coil_compression_num_modesKept": "0",
        "send_out_gfactor": "false",
    },
    "GenericReconPartialFourierHandlingFilterGadget": _DEBUG
    | _SKIP
    | {
        "partial_fourier_filter_RO_width": "0.15",
        "partial_fourier_filter_E1_width": "0.15",
        "partial_fourier_filter_E2_width": "0.15",
        "partial_fourier_filter_densityComp": "false",
    },
    "GenericReconKSpaceFilteringGadget": _DEBUG | _SKIP | _FILTERS,
    "GenericReconFieldOfViewAdjustmentGadget": _DEBUG,
    "GenericReconImageArrayScalingGadget": {
        "perform_timing": "false",
        "verbose": "false",
        "min_intensity_value": "64",
        "max_intensity_value": "4095",
        "scalingFactor": "10.0",
        "use_constant_scalingFactor": "true",
        "auto_scaling_only_once": "true",
        "scalingFactor_dedicated": "100.0",
    },
    "ImageArraySplitGadget": {},
    "ComplexToFloatGadget": {},
    "FloatToUShortGadget": {"max_intensity": "32767", "min_intensity": "0", "intensity_offset": "0"},
    "ImageFinishGadget": {},
}


def stock_xml(*, without: str = "") -> bytes:
    """The chain in the older dialect, as Gadgetron ships it; `without` one of its gadgets."""
    gadgets = "".join(
        f"<gadget><name>{name}</name><dll>gadgetron_mricore</dll><classname>{name}</classname>"
        + "".join(f"<property><name>{k}</name><value>{v}</value></property>" for k, v in properties.items())
        + "</gadget>"
        for name, properties in GADGETS.items()
        if name != without
    )
    ends = (
        "<reader><slot>1008</slot><dll>gadgetron_mricore</dll>"
        "<classname>GadgetIsmrmrdAcquisitionMessageReader</classname></reader>"
        "<writer><slot>1022</slot><dll>gadgetron_mricore</dll><classname>MRIImageWriter</classname></writer>"
    )
    root = "gadgetronStreamConfiguration"
    return f'<{root} xmlns="http://gadgetron.sf.net/gadgetron">{ends}{gadgets}</{root}>'.encode()
