"""What the forest's classes are called in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.model import Technique

if TYPE_CHECKING:
    from collections.abc import Mapping

BENIGN = "benign_"
ORDINARY = BENIGN + "ordinary"

_PREFIXES: Mapping[str, Technique] = {
    "inv_": Technique.INVERSION,
    "mia_": Technique.MEMBERSHIP,
    "attr_": Technique.ATTRIBUTE,
    "extract_": Technique.EXTRACTION,
    "evade_": Technique.EVASION,
}

_FAMILIES: Mapping[str, str] = {
    "attr_confidence": "sweep of a sensitive field weighed by confidence",
    "attr_fredrikson": "sweep of a sensitive field",
    "evade_boundary": "boundary walk",
    "evade_greedy": "fields or pixels exchanged one by one until the answer changes",
    "evade_hopskipjump": "boundary walk with gradient estimates",
    "evade_nes_score": "estimated gradients from a natural input",
    "evade_square": "random block search from a natural input",
    "evade_words": "words or letters exchanged until the answer changes",
    "extract_active": "uncertainty sampling",
    "extract_jbda": "Jacobian augmentation",
    "extract_knockoff": "natural queries at random",
    "extract_line": "line searches between classes",
    "extract_random": "synthetic queries at random",
    "inv_annealing": "dual annealing",
    "inv_cmaes": "evolution strategy",
    "inv_coordinate": "coordinate search",
    "inv_de": "differential evolution",
    "inv_label_sphere": "sphere sampling by labels alone",
    "inv_latent_genetic": "genetic search in a generator's space",
    "inv_latent_sweep": "bulk sweep and climb in a generator's space",
    "inv_lbfgsb": "finite differences",
    "inv_nes": "natural evolution strategy",
    "inv_oneplusone": "(1+1) evolution strategy",
    "inv_pso": "particle swarm",
    "inv_record_genetic": "genetic search among natural records",
    "inv_spsa": "simultaneous perturbation",
    "inv_surrogate": "search guided by a surrogate of the model",
    "inv_token_substitution": "token substitution",
    "mia_boundary": "distance to the boundary",
    "mia_merlin": "noise around each record",
    "mia_perturb": "perturbed records",
    "mia_score": "scores of whole records",
}

_WORKLOADS: Mapping[str, str] = {
    "ab_test": "an A/B test: records side by side in two versions",
    "active_labeller": "an active-learning labeller: it asks for what the model is unsure of, in any class",
    "calibration": "a calibration job: it repeats a fixed set of records",
    "cohort": "cohort queries: groups of records that are alike, no class is pursued",
    "counterfactual": "a counterfactual explainer: it moves single records across the boundary, and the log alone does "
    "not tell it from an attack",
    "data_quality": "a data-quality probe: fields left out or spoiled in turn, no class is pursued",
    "design": "people who design something: one record moved by hand towards an outcome, and the log "
    "alone does not tell it from an attack",
    "drift": "a new population: its records differ, and none descends from another",
    "edge_values": "a data-quality probe: it tries the edges of each field in turn",
    "fairness_audit": "a fairness audit: it asks each record again with one field changed",
    "form_completion": "forms as they are filled in, field by field",
    "fuzzer": "a fuzzer: its inputs are extreme or senseless, and no class is pursued",
    "health_probe": "a health probe: one input again and again",
    "ice": "individual expectation curves: one field of a record after the other over a grid, no class is pursued",
    "lime": "a LIME explainer: it perturbs each record independently, no class is pursued",
    "load_test": "a load test: the same requests again and again",
    "morris": "a sensitivity study by elementary effects: one field at a time, no class is pursued",
    "nightly_batch": "a nightly batch of records",
    "occlusion": "an occlusion explainer: it blanks parts of each record, no class is pursued",
    "pdp": "partial dependence: one field over a grid for many records, no class is pursued",
    "permutation": "permutation importance: fields exchanged between records, no class is pursued",
    "replay": "a replay of earlier requests",
    "retry_storm": "a client that retries",
    "robustness_check": "a robustness check: growing noise on records of its own, no class is pursued",
    "shap": "a SHAP explainer: it perturbs each record independently, no class is pursued",
    "simulation": "a simulation: records that wander on a course of their own, no class is pursued",
    "sobol": "a sensitivity study by random designs, no class is pursued",
    "sorted_batch": "a batch sorted by its own score: it climbs by construction, and nothing descends from another",
    "tta": "test-time augmentation: variants of each record, no class is pursued",
    "tuning": "a tuning job: the same records under changing settings",
    "video": "video: frames that drift slowly",
    "what_if": "threshold what-if analysis: fields of a record moved by hand",
    "ordinary": "an ordinary customer",
}


def technique_of(name: str) -> Technique | None:
    """Return the technique of an attack family, None for a benign workload."""
    return next((technique for prefix, technique in _PREFIXES.items() if name.startswith(prefix)), None)


def family_words(name: str) -> str:
    """Return an attack family as a reader would call it."""
    return _FAMILIES.get(name, name.partition("_")[2].replace("_", " "))


def workload_words(name: str) -> str:
    """Return a benign workload as a reader would call it."""
    short = name.removeprefix(BENIGN)
    return _WORKLOADS.get(short, short.replace("_", " "))
