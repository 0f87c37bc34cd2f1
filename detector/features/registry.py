"""The features: names, units, ranges, formulas and sources, in the order in which windows show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["high", "low", "both"]


@dataclass(frozen=True)
class FeatureSpec:
    """What a feature is.

    Attributes:
        name: as rules and reports call it.
        family: the family of the reference.
        unit: of the value; "share" is a number between 0 and 1.
        low, high: range of the value; None is unbounded.
        formula: how it is computed from a window's queries in time order.
        signal: what it tells about an attack.
        looks_like: benign behaviour that looks the same.
        source: where the statistic comes from.
        suspicious: which end of the distribution is suspicious.
    """

    name: str
    family: str
    unit: str
    low: float | None
    high: float | None
    formula: str
    signal: str
    looks_like: str
    source: str
    suspicious: Direction = "high"


FAMILIES = (
    "rhythm",
    "query entropy",
    "input drift",
    "confidence requests",
    "systematic variation",
    "wording",
    "confidence trajectory",
    "feedback",
    "lineage",
    "decision boundary",
    "reference contact",
    "coverage",
    "data quality",
)

_S = FeatureSpec

FEATURES: tuple[FeatureSpec, ...] = (
    # rhythm
    _S("query_count", "rhythm", "queries", 0, None, "number of queries", "effort spent; never judged alone",
       "one tenant of a real service can send 29 % of its load", "count", "both"),
    _S("active_hours", "rhythm", "hours", 0, 24, "number of hours of the day with a query",
       "automation runs around the clock", "monitoring and batch jobs", "count", "both"),
    _S("peak_rate_per_minute", "rhythm", "queries/minute", 0, None, "largest number of queries in one minute",
       "bursts of an optimiser's generations", "nightly batches, load tests", "count", "high"),
    _S("interarrival_cv", "rhythm", "ratio", 0, None, "standard deviation over mean of the gaps between queries",
       "a loop that waits for each answer is regular (low)", "health probes", "renewal theory", "both"),
    _S("interarrival_entropy", "rhythm", "share", 0, 1,
       "entropy of the gaps in 16 logarithmic bins from 1 ms to 1 h, over ln 16", "machines have few kinds of gap (low)",
       "schedulers", "Shannon 1948", "both"),
    _S("block_regularity", "rhythm", "share", 0, 1,
       "share of bursts (split where a gap exceeds 10 median gaps) that have the most frequent size above 1",
       "populations and spheres of constant size", "batch jobs with a fixed page size", "own", "high"),
    # query entropy
    _S("input_entropy", "query entropy", "share", 0, 1,
       "mean over monitored fields of the entropy of the values in the reference's 8 quantile bins, over ln 8",
       "a search stays in a corner of the input space (low), noise fills it (high)", "narrow customers", "Shannon 1948",
       "both"),
    _S("query_entropy", "query entropy", "share", 0, 1,
       "distinct quantised inputs (monitored fields, 8 bins) over queries", "small steps fall into the same cell (low)",
       "health probes, retries, video", "own", "low"),
    _S("label_entropy", "query entropy", "share", 0, 1, "entropy of the labels over ln of the model's classes",
       "a single class is pursued (low)", "customers with one kind of case", "Shannon 1948", "both"),
    _S("duplicate_ratio", "query entropy", "share", 0, 1, "queries whose exact input was sent before in the window, over queries",
       "re-sent elites of genetic searches", "retries, caches, health probes", "RLB-MI sends one in three twice", "high"),
    # input drift
    _S("input_psi_mean", "input drift", "nats", 0, None,
       "population stability index of monitored fields against the reference, mean over fields, small-sample bias removed",
       "inputs that no customer sends", "new populations", "credit-scoring practice", "high"),
    _S("input_psi_max", "input drift", "nats", 0, None, "the same, largest field", "one field swept", "a broken sensor",
       "credit-scoring practice", "high"),
    _S("sliced_wasserstein", "input drift", "reference deviations", 0, None,
       "mean over 16 fixed projections of the 1-Wasserstein distance to the reference", "synthetic or searched inputs",
       "new populations", "Rabin et al. 2011", "high"),
    _S("off_manifold_ratio", "input drift", "share", 0, 1,
       "sampled queries whose nearest reference record is farther than the reference's own 99th percentile",
       "noise, perturbed and synthesised inputs", "new populations, augmenters", "nearest-neighbour novelty", "high"),
    _S("noise_likeness", "input drift", "share", 0, 1,
       "mean over sampled queries of the share of energy outside the reference's main components (90 % of its variance)",
       "starting points and perturbations are noise", "fuzzers, data-quality probes", "Q-statistic of PCA", "high"),
    _S("edge_value_ratio", "input drift", "share", -1, 1,
       "share of values at or beyond the reference's smallest or largest, minus the reference's own share",
       "clipped steps collect at the edges", "data-quality probes", "own", "high"),
    _S("unseen_category_ratio", "input drift", "share", 0, 1,
       "share of categorical values that the model's schema does not know", "enumeration and fuzzing of categories",
       "a new product code", "own", "high"),
    # confidence requests
    _S("confidence_request_ratio", "confidence requests", "share", 0, 1, "queries answered with scores over queries known either way",
       "every score-guided attack needs scores", "calibration and monitoring jobs", "count", "high"),
    _S("confidence_request_lift", "confidence requests", "log ratio", None, None,
       "ln of the ratio over that of the model's clients together, both with one pseudo-query", "asks for more than its peers",
       "calibration jobs", "lift", "high"),
    _S("explain_ratio", "confidence requests", "share", 0, 1, "queries to an explanation endpoint over queries",
       "explanations leak gradients", "explainability dashboards", "count", "high"),
    _S("gradient_ratio", "confidence requests", "share", 0, 1, "queries to a gradient endpoint over queries",
       "white-box inversion", "training pipelines pointed at the wrong host", "count", "high"),
    _S("parameter_rotation", "confidence requests", "share", 0, 1, "distinct parameter sets over queries",
       "logit theft rotates logit_bias", "hyper-parameter and prompt tuning", "Carlini et al. 2024", "high"),
    # systematic variation
    _S("nearest_previous_distance", "systematic variation", "reference pair distances", 0, None,
       "median distance to the nearest of the 16 queries before, over the median distance of reference pairs",
       "each query is a variation of an earlier one (low)", "video, augmentation, explainers", "Chen et al. 2019", "low"),
    _S("near_duplicate_ratio", "systematic variation", "share", 0, 1,
       "queries within a quarter of a pair distance of one of the 16 before, exact repetitions left out",
       "small steps", "video, augmentation, explainers", "Li et al. 2022", "high"),
    _S("single_field_change_ratio", "systematic variation", "share", 0, 1,
       "queries that differ in exactly one field from one of the 16 before", "finite differences, coordinate search, sweeps",
       "partial dependence, what-if tools", "own", "high"),
    _S("enumeration_ratio", "systematic variation", "share", 0, 1,
       "queries that change the same single field as the query before them", "attribute inference sweeps one field",
       "partial dependence, what-if tools", "Fredrikson et al. 2014", "high"),
    _S("swept_field_share", "systematic variation", "share", 0, 1,
       "share of the most frequent field among single-field changes (fields in 32 bins)", "one field alone is swept",
       "partial dependence of one field", "own", "high"),
    _S("step_length_trend", "systematic variation", "correlation", -1, 1,
       "rank correlation of the step length with query order, over 32 equal stretches", "steps shrink as a search converges (low)",
       "none known", "Spearman 1904", "low"),
    _S("dispersion_trend", "systematic variation", "correlation", -1, 1,
       "rank correlation of the spread within 32 equal stretches with their order", "a population contracts (low)",
       "a customer that narrows its search", "Spearman 1904", "low"),
    _S("collinearity_ratio", "systematic variation", "share", 0, 1,
       "consecutive steps that lie on one line (cosine beyond 0.999), single-field steps left out",
       "line searches and bisections", "interpolation in what-if tools", "own", "high"),
    _S("antithetic_ratio", "systematic variation", "share", 0, 1,
       "pairs of queries whose midpoint is the midpoint of the pair before, within a third of their half-distance",
       "simultaneous perturbation and natural evolution strategies", "KernelSHAP's paired sampling", "Spall 1992", "high"),
    _S("subresolution_change_ratio", "systematic variation", "share", 0, 1,
       "vectors equal to one of the 16 before in 32-bit precision but not exactly; null for texts and records",
       "finite differences with a tiny step",
       "none known", "scipy's default step is 1.5e-8", "high"),
    # wording
    _S("word_exchange_ratio", "wording", "share", 0, 1,
       "texts that one of the 16 before becomes when one word is exchanged for another", "a search by substitution",
       "name swaps of a fairness audit, synonyms, spelling", "Ebrahimi et al. 2018 (HotFlip)", "high"),
    _S("word_place_repeat_ratio", "wording", "share", 0, 1,
       "exchanges at the place of the exchange before, over exchanges", "one place is tried with many words",
       "templates that are filled in", "own", "high"),
    _S("word_addition_ratio", "wording", "share", 0, 1,
       "texts that one of the 16 before becomes when up to three words are put in at one place", "a text that is grown",
       "typing, completion", "own", "high"),
    _S("word_removal_ratio", "wording", "share", 0, 1,
       "texts that one of the 16 before becomes when up to three words are taken out at one place",
       "words ranked by what their absence does", "occlusion, LIME", "Jin et al. 2020 (TextFooler)", "both"),
    _S("edit_at_end_ratio", "wording", "share", 0, 1, "of these exchanges, additions and removals: those at the end",
       "a text that is grown word by word", "typing, completion", "own", "both"),
    _S("no_new_word_ratio", "wording", "share", 0, 1, "texts without a word that none of the 16 before has",
       "words in another order, crossed texts", "occlusion, LIME, repetition (high)", "own", "both"),
    _S("one_new_word_ratio", "wording", "share", 0, 1, "texts with exactly one word that none of the 16 before has",
       "candidates for one place, tried in turn", "name swaps, what-if tools", "own", "high"),
    _S("word_repetition_excess", "wording", "difference of shares", -1, 1,
       "share of words that stand in their text before, minus that of the reference", "a word that pays is said again",
       "lists, tables", "own", "high"),
    _S("common_word_excess", "wording", "difference of shares", -1, 1,
       "share of words that are among the reference's 50 commonest, minus that of the reference",
       "texts put together from telling words have no small ones (low)", "titles, keywords", "stylometry", "low"),
    _S("unknown_word_excess", "wording", "difference of shares", -1, 1,
       "share of words that the reference does not have, minus the share of its own that stand in one text alone",
       "words from elsewhere, letters exchanged", "another language, names, codes", "own", "both"),
    _S("fluency", "wording", "times", 0, 5,
       "share of pairs of neighbouring words that the reference has, over the share of its own that a second text has",
       "words that nobody writes side by side (low)", "another language, keywords", "bigram models", "low"),
    _S("text_length_trend", "wording", "correlation", -1, 1,
       "rank correlation of the number of words with query order, over 32 equal stretches", "a text that is grown",
       "none known", "Spearman 1904", "both"),
    # confidence trajectory
    _S("confidence_ascent", "confidence trajectory", "correlation", -1, 1,
       "largest rank correlation (midranks) of a class's probability with query order over segments of 200 queries, stride 20",
       "somebody climbs", "a batch sorted by its own score", "Spearman 1904", "high"),
    _S("confidence_ascent_window", "confidence trajectory", "correlation", -1, 1,
       "rank correlation of the pursued class's probability with query order over the whole window", "a long climb",
       "a batch sorted by its own score", "Spearman 1904", "high"),
    _S("confidence_ascent_short", "confidence trajectory", "correlation", -1, 1,
       "confidence_ascent over segments of 64 queries, stride 16", "somebody climbs again and again, a little each time",
       "a batch sorted by its own score", "Spearman 1904", "high"),
    _S("climbing_share", "confidence trajectory", "share", 0, 1, "share of those segments in which some class climbs by a correlation of 0.5",
       "the window is full of climbs", "video", "own", "high"),
    _S("confidence_rise", "confidence trajectory", "probability", -1, 1,
       "mean probability of the pursued class in the last quarter of the best segment minus that in its first quarter",
       "how much was gained", "a batch sorted by its own score", "own", "high"),
    _S("confidence_record_z", "confidence trajectory", "deviations", None, None,
       "records of the pursued class's probability against the harmonic number that exchangeable queries give, in deviations",
       "best-so-far keeps moving", "a batch sorted by its own score", "Renyi 1962", "high"),
    _S("record_asymmetry", "confidence trajectory", "deviations", None, None,
       "records forward minus records backward in time, in deviations", "rises, and does not just vary",
       "a batch sorted by its own score", "Foster and Stuart 1954", "high"),
    _S("target_concentration", "confidence trajectory", "share", 0, 1,
       "share of the pursued class among the labels of the second half of the best segment", "one class is pursued",
       "customers with one kind of case", "own", "high"),
    _S("final_confidence", "confidence trajectory", "probability", 0, 1,
       "largest probability of the pursued class in the window", "how far it got", "any confident query", "own", "high"),
    # feedback
    _S("feedback_alignment", "feedback", "cosine", -2, 2,
       "mean cosine of a block's score gradient with the move to the next block, minus that with the move before it (blocks of 20)",
       "the next queries follow the last answers", "none: a batch sorted by score is symmetric in time", "own", "high"),
    _S("accept_reject_asymmetry", "feedback", "deviations", None, None,
       "difference of ln(distance to the last query / distance to the best before it) after failures and after successes, "
       "over their pooled deviation",
       "stays near a success and leaves a failure", "none known", "own", "high"),
    # lineage
    _S("kin_ratio", "lineage", "share", 0, 1,
       "queries closer to the nearest of the 96 before than 99 in 100 unrelated reference inputs are to theirs, repetitions left out",
       "each query varies an earlier one, whatever lies between", "video, augmentation, explainers", "Shi et al. 2025 (QPA)", "high"),
    _S("thread_share", "lineage", "share", 0, 1, "queries in threads of 40 or more: chains of close kin",
       "one search leaves one long thread", "video, augmentation, explainers", "Shi et al. 2025 (QPA)", "high"),
    _S("thread_length", "lineage", "queries", 0, None, "queries of the longest thread", "a search goes on for long",
       "video, health probes", "Shi et al. 2025 (QPA)", "high"),
    _S("thread_ascent", "lineage", "correlation", -1, 1,
       "largest confidence_ascent within one thread; shorter threads count by the square root of their share of 200 queries",
       "somebody climbs, under whatever cover", "counterfactual explanation", "own", "high"),
    _S("thread_rise", "lineage", "probability", -1, 1, "confidence_rise of that thread", "how much was gained",
       "counterfactual explanation", "own", "high"),
    _S("parent_rank", "lineage", "share", 0, 1,
       "mean share of the 96 queries before whose probability of the pursued class is below that of the one varied, half a pair distance away at most",
       "the best of what is at hand is built upon", "a batch sorted by its own score", "own", "high"),
    _S("parent_rank_asymmetry", "lineage", "share", -1, 1, "parent_rank minus the same with time reversed",
       "the next query depends on the last answer", "a batch sorted by its own score", "own", "high"),
    _S("offspring_selection", "lineage", "deviations", None, None,
       "two-sample z of being the nearest ancestor of a later query: queries that improved on their own ancestor against the others",
       "better answers are built upon", "explainers whose records differ in centrality", "own", "high"),
    _S("offspring_asymmetry", "lineage", "deviations", None, None,
       "offspring_selection minus the same with time reversed, over the square root of 2",
       "the next query depends on the last answer: a stream that does not is alike in both directions of time",
       "counterfactual explanation", "own", "high"),
    # decision boundary
    _S("neighbour_label_flip_ratio", "decision boundary", "share", 0, 1, "near duplicates with another label than their neighbour",
       "the boundary is probed", "counterfactual explanation", "own", "high"),
    _S("low_margin_ratio", "decision boundary", "share", 0, 1, "scored queries whose two best classes are within 0.1",
       "walks along the boundary, uncertainty sampling", "hard cases, active learning", "own", "high"),
    _S("bracketing_ratio", "decision boundary", "share", 0, 1,
       "steps half as long as the one before, within a tenth, on its line", "bisection towards the boundary", "threshold what-if tools",
       "own", "high"),
    # reference contact
    _S("training_hit_ratio", "reference contact", "share", 0, 1,
       "sampled queries within a thousandth of a pair distance of a training record", "membership is tested on the records themselves",
       "evaluation jobs", "own", "high"),
    _S("training_distance_trend", "reference contact", "correlation", -1, 1,
       "rank correlation of the distance to the nearest training record with query order, sampled queries",
       "approaches the training data (low)", "none known", "own", "low"),
    _S("canary_hits", "reference contact", "queries", 0, None, "queries within a hundredth of a pair distance of a canary",
       "nobody has a reason to come near a planted record", "a leaked test fixture", "own", "high"),
    # coverage
    _S("prada_normality", "coverage", "W", 0, 1,
       "Shapiro-Francia W' of the distances of 64 sampled queries to the nearest earlier one of their label, outermost tenths cut",
       "synthetic queries break the bell shape (low)", "augmentation", "Juuti et al. 2019", "low"),
    _S("label_balance", "coverage", "share", 0, 1, "exp of the label entropy over the model's classes",
       "extraction balances the classes", "curated evaluation sets", "own", "both"),
    _S("uncertainty_seeking", "coverage", "correlation", -1, 1,
       "rank correlation of the top probability with query order over 32 equal stretches, sign changed",
       "active extraction goes for uncertain inputs", "active-learning labellers", "own", "high"),
    # data quality
    _S("error_ratio", "data quality", "share", 0, 1, "queries with a status of 400 or more over those with a status",
       "probing and fuzzing", "broken clients", "count", "high"),
    _S("flagged_ratio", "data quality", "share", 0, 1, "queries with a field that could not be read as the format wants",
       "hiding by malformed records", "broken clients", "count", "high"),
    _S("id_reuse_ratio", "data quality", "share", 0, 1, "queries whose request id came before with other content",
       "overwriting evidence in stores keyed by id", "broken clients", "count", "high"),
)  # fmt: skip

BY_NAME = {feature.name: feature for feature in FEATURES}
NAMES = tuple(BY_NAME)
