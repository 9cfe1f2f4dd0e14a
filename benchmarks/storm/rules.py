"""The rules that the database must keep after a storm, each as a query for what breaks it.

``wanted`` holds what was submitted, ``known`` and ``known_scores`` what an undisturbed worker said.
"""

from __future__ import annotations

#: How far two scores of one picture may be apart: its batches had other sizes.
TOLERANCE = 1e-4

_ANSWERS = """
SELECT name, i.index, uri, o.code, o.job_id, j.model_id,
       least((options ->> 'top_k')::int, (SELECT count(*) FROM labels l
                                          WHERE l.model_id = j.model_id)) AS top_k
FROM jobs j JOIN images i ON i.job_id = j.id
JOIN outcomes o ON o.job_id = j.id AND o.index = i.index
"""

RULES = {
    "a job that was not submitted, or is not there": """
        SELECT name, job FROM jobs FULL JOIN (SELECT DISTINCT job FROM wanted) w ON name = job
        WHERE name IS NULL OR job IS NULL""",
    "a job that is not completed": """
        SELECT name, status, reason FROM jobs WHERE status <> 'completed'
        OR submitted_at IS NULL OR finished_at IS NULL""",
    "a job of another priority": """
        SELECT DISTINCT name, j.priority, w.priority FROM jobs j JOIN wanted w ON name = job
        WHERE j.priority <> w.priority""",
    "a reference that is missing": """
        SELECT job, uri, custom_id FROM wanted EXCEPT ALL
        SELECT name, uri, custom_id FROM images JOIN jobs ON jobs.id = job_id""",
    "a reference that nobody submitted": """
        SELECT name, uri, custom_id FROM images JOIN jobs ON jobs.id = job_id EXCEPT ALL
        SELECT job, uri, custom_id FROM wanted""",
    "an index that is missing, or there twice": """
        SELECT name, total, count(index), count(DISTINCT index), min(index), max(index)
        FROM jobs LEFT JOIN images ON job_id = jobs.id GROUP BY jobs.id
        HAVING count(index) <> total OR count(DISTINCT index) <> total
        OR min(index) <> 0 OR max(index) <> total - 1""",
    "an image without exactly one outcome": """
        SELECT i.job_id, i.index, count(o.job_id) FROM images i
        LEFT JOIN outcomes o ON o.job_id = i.job_id AND o.index = i.index
        GROUP BY i.job_id, i.index HAVING count(o.job_id) <> 1""",
    "an outcome of no image": """
        SELECT o.job_id, o.index FROM outcomes o
        LEFT JOIN images i ON o.job_id = i.job_id AND o.index = i.index WHERE i.job_id IS NULL""",
    "an outcome that is both a label and a failure, or neither": """
        SELECT job_id, index, label_id, score, code FROM outcomes
        WHERE (label_id IS NULL) = (code IS NULL) OR (label_id IS NULL) <> (score IS NULL)""",
    "a prediction of no outcome": """
        SELECT p.job_id, p.index, p.rank FROM predictions p
        LEFT JOIN outcomes o ON o.job_id = p.job_id AND o.index = p.index
        WHERE o.job_id IS NULL""",
    "an image with too many predictions, or too few": f"""
        SELECT name, a.index, code, top_k, count(p.rank), max(p.rank) FROM ({_ANSWERS}) a
        LEFT JOIN predictions p ON p.job_id = a.job_id AND p.index = a.index
        GROUP BY name, a.index, code, top_k
        HAVING count(p.rank) <> CASE WHEN code IS NULL THEN top_k ELSE 0 END
        OR max(p.rank) <> count(p.rank)""",
    "an outcome that is not its first prediction": """
        SELECT o.job_id, o.index FROM outcomes o JOIN predictions p
        ON o.job_id = p.job_id AND o.index = p.index AND p.rank = 1
        WHERE o.label_id <> p.label_id OR o.score <> p.score""",
    "an outcome that an undisturbed worker did not have": f"""
        SELECT name, index, uri, a.code, k.code FROM ({_ANSWERS}) a
        LEFT JOIN known k USING (uri) WHERE k.uri IS NULL
        OR (a.code IS DISTINCT FROM k.code AND a.code IS DISTINCT FROM 'worker_crashed')""",
    "an image that was condemned, and not lost twice alone": """
        SELECT o.job_id, o.index, number, lost, solo_lost FROM outcomes o
        LEFT JOIN chunks c ON c.job_id = o.job_id AND o.index BETWEEN first AND last
        WHERE code = 'worker_crashed' AND (first < last OR solo_lost < 2) IS NOT FALSE""",
    "a prediction that an undisturbed worker did not make": f"""
        SELECT name, a.index, uri, p.rank, l.label, p.score, k.label, k.score
        FROM ({_ANSWERS}) a
        JOIN predictions p ON p.job_id = a.job_id AND p.index = a.index
        LEFT JOIN labels l ON l.id = p.label_id AND l.model_id = a.model_id
        JOIN known USING (uri)
        LEFT JOIN (SELECT *, lag(score) OVER every AS better, lead(score) OVER every AS worse
                   FROM known_scores WINDOW every AS (PARTITION BY uri ORDER BY rank)) k
        USING (uri, rank)
        WHERE known.code IS NULL AND a.code IS NULL AND (
            k.rank IS NULL OR l.label IS NULL OR abs(p.score - k.score) > {TOLERANCE}
            -- Two labels that are equally likely may change places.
            OR (l.label <> k.label AND k.score - coalesce(worse, 0) > {TOLERANCE}
                AND coalesce(better, 1) - k.score > {TOLERANCE}))""",
    "a job whose counts are not those of its rows": """
        SELECT name, succeeded, failed, cancelled, total,
               count(label_id), count(code), count(o.job_id)
        FROM jobs LEFT JOIN outcomes o ON o.job_id = jobs.id GROUP BY jobs.id
        HAVING succeeded IS DISTINCT FROM count(label_id) OR failed IS DISTINCT FROM count(code)
        OR cancelled <> 0 OR total <> count(o.job_id)""",
    "a job whose histogram is not that of its rows": """
        SELECT * FROM (
            SELECT j.id, l.label, count(*) AS images FROM jobs j
            JOIN outcomes o ON o.job_id = j.id JOIN labels l ON l.id = o.label_id GROUP BY 1, 2
        ) counted FULL JOIN (
            SELECT id, key AS label, value::int AS images
            FROM jobs, jsonb_each_text(histogram::jsonb)
        ) stored USING (id, label) WHERE counted.images IS DISTINCT FROM stored.images""",
    "a chunk that is not done": """
        SELECT job_id, number, state, worker, lost, token FROM chunks
        WHERE state <> 'done' OR lease_until IS NOT NULL""",
    "a chunk whose counts are not those of its rows": """
        SELECT c.job_id, number, succeeded, failed, count(label_id), count(code) FROM chunks c
        LEFT JOIN outcomes o ON o.job_id = c.job_id AND o.index BETWEEN c.first AND c.last
        GROUP BY c.job_id, number
        HAVING succeeded <> count(label_id) OR failed <> count(code)
        OR last - first + 1 <> count(o.job_id)""",
    "a gap between two chunks, or an overlap": """
        SELECT * FROM (SELECT job_id, number, first, last, total,
            lag(last, 1, -1) OVER every AS before, lead(first, 1, total) OVER every AS after
            FROM chunks JOIN jobs ON jobs.id = job_id
            WINDOW every AS (PARTITION BY job_id ORDER BY first)) c
        WHERE first <> before + 1 OR after <> last + 1""",
}
