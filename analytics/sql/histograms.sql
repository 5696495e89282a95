-- Times as mergeable histograms: 312 buckets, exact to 24 ms, then at most 2 % wrong, up to an hour; what took longer is
-- in the last one. Bounds are integers by one rule (analytics/histograms.py), so every rebuild agrees: the next one is
-- the greater of lower + 1 and lower * 102 / 98, rounded down, + 1. An entry of a histogram is bucket << 22 | count.

-- The lower bounds, in ms.
CREATE FUNCTION analytics.latency_bounds() RETURNS int[] IMMUTABLE PARALLEL SAFE LANGUAGE sql
RETURN '{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,27,29,31,33,35,37,39,41,43,45,
    47,49,52,55,58,61,64,67,70,73,76,80,84,88,92,96,100,105,110,115,120,125,131,137,143,149,156,163,170,
    177,185,193,201,210,219,228,238,248,259,270,282,294,307,320,334,348,363,378,394,411,428,446,465,484,504,
    525,547,570,594,619,645,672,700,729,759,790,823,857,892,929,967,1007,1049,1092,1137,1184,1233,1284,1337,
    1392,1449,1509,1571,1636,1703,1773,1846,1922,2001,2083,2169,2258,2351,2447,2547,2651,2760,2873,2991,3114,
    3242,3375,3513,3657,3807,3963,4125,4294,4470,4653,4843,5041,5247,5462,5685,5918,6160,6412,6674,6947,7231,
    7527,7835,8155,8488,8835,9196,9572,9963,10370,10794,11235,11694,12172,12669,13187,13726,14287,14871,15478,
    16110,16768,17453,18166,18908,19680,20484,21321,22192,23098,24041,25023,26045,27109,28216,29368,30567,31815,
    33114,34466,35873,37338,38863,40450,42102,43821,45610,47472,49410,51427,53527,55712,57986,60353,62817,65381,
    68050,70828,73719,76728,79860,83120,86513,90045,93721,97547,101529,105674,109988,114478,119151,124015,129077,
    134346,139830,145538,151479,157662,164098,170796,177768,185024,192577,200438,208620,217136,225999,235224,244825,
    254818,265219,276045,287313,299041,311247,323951,337174,350937,365261,380170,395688,411839,428649,446145,464356,
    483310,503037,523570,544941,567184,590335,614431,639510,665613,692781,721058,750489,781122,813005,846189,880728,
    916677,954093,993036,1033569,1075756,1119665,1165366,1212932,1262440,1313969,1367601,1423422,1481521,1541992,
    1604931,1670439,1738621,1809586,1883447,1960323,2040337,2123617,2210296,2300513,2394412,2492144,2593865,2699738,
    2809932,2924624,3043997,3168242,3297559,3432154,3572242,3718048}'::int[];

-- The bucket, 1 to 312, of so many ms; 0 ms is in the first. NULL for NULL, by a body that can be inlined.
CREATE FUNCTION analytics.latency_bucket(p_ms int) RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE sql
RETURN width_bucket(CASE WHEN p_ms < 1 THEN 1 ELSE p_ms END, analytics.latency_bounds());

-- The value, in ms, that stands for all of a bucket: the harmonic middle, whose error is the same at both ends. The last
-- bucket has no end; its lower bound stands for it.
CREATE FUNCTION analytics.latency_of_bucket(p_bucket int) RETURNS float8 IMMUTABLE PARALLEL SAFE LANGUAGE sql
RETURN (SELECT 2.0::float8 * b.lower * b.upper / (b.lower + b.upper)
        FROM (SELECT (analytics.latency_bounds())[p_bucket] AS lower,
                     coalesce((analytics.latency_bounds())[p_bucket + 1] - 1, (analytics.latency_bounds())[p_bucket])
                       AS upper) b);

-- The same histogram with each bucket once. A count that does not fit 22 bits is split, never clamped.
CREATE FUNCTION analytics.merge_histogram(p_entries int[]) RETURNS int[] IMMUTABLE PARALLEL SAFE LANGUAGE sql
RETURN (SELECT array_agg((b.bucket << 22) | least(b.total - n * 4194303, 4194303)::int ORDER BY b.bucket, n)
        FROM (SELECT e >> 22 AS bucket, sum(e & 4194303) AS total FROM unnest(p_entries) e GROUP BY 1) b,
             generate_series(0, (b.total - 1) / 4194303) n);

-- Both histograms in one. Short ones are put behind each other; merging is for when that grows long.
CREATE FUNCTION analytics.add_histograms(p_one int[], p_other int[]) RETURNS int[] IMMUTABLE PARALLEL SAFE LANGUAGE sql
RETURN CASE WHEN p_one IS NULL THEN p_other WHEN p_other IS NULL THEN p_one
            WHEN cardinality(p_one) + cardinality(p_other) <= 64 THEN p_one || p_other
            ELSE analytics.merge_histogram(p_one || p_other) END;
