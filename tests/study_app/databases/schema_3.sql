-- A database as written by schema 3 (commit 489f307): P0001 has completed, P0002 (pilot) rates the first assistant,
-- P0003 declined, P0004 withdrew. Kept to migrate from; never edited.
PRAGMA application_id = 1397442382;
PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE answer (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        participant TEXT NOT NULL REFERENCES participant,
        item TEXT NOT NULL,
        period INTEGER CHECK (period >= 1),
        value ANY NOT NULL CHECK (typeof(value) IN ('integer', 'real', 'text')),
        answered_at TEXT NOT NULL,
        duration_s REAL CHECK (duration_s >= 0), language TEXT) STRICT;
INSERT INTO "answer" VALUES(1,'P0001','gender',NULL,'female','2026-11-21T11:41:43.486Z',NULL,NULL);
INSERT INTO "answer" VALUES(2,'P0001','medical_background',NULL,'yes','2026-11-21T11:41:43.486Z',NULL,NULL);
INSERT INTO "answer" VALUES(3,'P0001','trust',1,4,'2026-11-21T11:41:43.604Z',NULL,NULL);
INSERT INTO "answer" VALUES(4,'P0001','ease',1,4,'2026-11-21T11:41:43.604Z',NULL,NULL);
INSERT INTO "answer" VALUES(5,'P0001','effort',1,4,'2026-11-21T11:41:43.661Z',NULL,NULL);
INSERT INTO "answer" VALUES(6,'P0001','trust',2,4,'2026-11-21T11:41:43.663Z',NULL,NULL);
INSERT INTO "answer" VALUES(7,'P0001','ease',2,4,'2026-11-21T11:41:43.663Z',NULL,NULL);
INSERT INTO "answer" VALUES(8,'P0001','effort',2,4,'2026-11-21T11:41:43.663Z',NULL,NULL);
INSERT INTO "answer" VALUES(9,'P0001','trust',3,4,'2026-11-21T11:41:43.719Z',NULL,NULL);
INSERT INTO "answer" VALUES(10,'P0001','ease',3,4,'2026-11-21T11:41:43.719Z',NULL,NULL);
INSERT INTO "answer" VALUES(11,'P0001','effort',3,4,'2026-11-21T11:41:43.719Z',NULL,NULL);
INSERT INTO "answer" VALUES(12,'P0001','correct',NULL,4,'2026-11-21T11:41:43.720Z',NULL,NULL);
INSERT INTO "answer" VALUES(13,'P0001','informative',NULL,4,'2026-11-21T11:41:43.780Z',NULL,NULL);
INSERT INTO "answer" VALUES(14,'P0001','useful_suggestions',NULL,4,'2026-11-21T11:41:43.781Z',NULL,NULL);
INSERT INTO "answer" VALUES(15,'P0001','future_use',NULL,4,'2026-11-21T11:41:43.781Z',NULL,NULL);
INSERT INTO "answer" VALUES(16,'P0001','realistic',NULL,4,'2026-11-21T11:41:43.781Z',NULL,NULL);
INSERT INTO "answer" VALUES(17,'P0001','useful',NULL,4,'2026-11-21T11:41:43.782Z',NULL,NULL);
INSERT INTO "answer" VALUES(18,'P0002','gender',NULL,'female','2026-11-21T11:41:43.841Z',NULL,NULL);
INSERT INTO "answer" VALUES(19,'P0002','medical_background',NULL,'yes','2026-11-21T11:41:43.841Z',NULL,NULL);
CREATE TABLE definition (
        hash TEXT PRIMARY KEY CHECK (length(hash) = 64),
        study TEXT NOT NULL,
        source TEXT NOT NULL CHECK (json_valid(source)),
        registered_at TEXT NOT NULL) STRICT;
INSERT INTO "definition" VALUES('2e8dfae31f1c893911751fd7bed9a7c4bf711f0fdb01141dc948279a71a44fb0','skingen','{"assistant_name": "Assistant {n}", "comments": {"id": "comments", "max_length": 4000, "wording": "Is there anything you would like to tell us?"}, "completion_codes": {"completed": "SKINGEN-DONE", "declined": "SKINGEN-DECLINED"}, "conditions": [{"explainer": "text", "key": "text", "label": "SkinGPT (text)"}, {"explainer": "cases", "key": "cases", "label": "SkinGPT + cases"}, {"explainer": "generated", "key": "generated", "label": "SkinGEN"}], "consent": {"agreements": ["I am 18 or older and have read the information above.", "I agree to take part and that my answers and photos are used as described."], "bullets": [{"lead": "About 20 minutes.", "text": "You meet three assistants, rate each one, and answer a few questions at the end."}, {"lead": "Your choice.", "text": "You can stop at any time and withdraw what you gave, without a reason and without a disadvantage."}, {"lead": "Photos stay here.", "text": "A photo you upload is stripped of its metadata, kept for this study only, and erased if you withdraw."}, {"lead": "No names.", "text": "Your answers are stored under a number. Please do not upload a face or write what identifies you."}, {"lead": "No medical advice.", "text": "Nothing here is medical advice. If a mark on your skin worries you, see a doctor."}], "sheet": "**Purpose.** We compare three ways in which an assistant can explain what a photo of skin may show.\n\n**What you do.** You answer two questions about yourself. Then you meet three assistants, one after the\nother. With each you choose a photo of a skin condition, ask about it, and rate three statements. At the\nend you rate six more statements and may leave a comment.\n\n**What is recorded.** Your answers and when you gave them, the photos you choose or upload, the\nconversations, and how far you came. No name, no e-mail address and no IP address are stored with them.\nA photo is turned upright, freed of all metadata (place, time, device) and stored again as a picture.\n\n**Who sees it.** The researchers of this study. Results are published as averages; a comment may be\nquoted without your number.\n\n**Risks.** Some photos show skin disease. The assistants can be wrong. Pictures drawn by the computer show\nno real person. Nothing here is medical advice.\n\n**Leaving and withdrawing.** Close the page at any time; the link in your address bar brings you back to\nwhere you were. To withdraw, use the button on the last page or write to the contact below with your number:\nphotos, conversations and answers are then erased, and only the fact and the date of the withdrawal remain.\n\n**Questions.** Write to the contact at the foot of this page.\n", "summary": "You will talk with three assistants about photos of skin and say how well each explained them."}, "contact": "[Name and e-mail of the researcher]", "debrief": {"text": "All three assistants used the same diagnosis model. They differed in how they explained it: in words alone,\nwith photos of similar cases, or with pictures drawn on your own photo. We want to know which explanation\nhelps people most to understand a diagnosis and to judge how far to trust it.\n\nThe diagnoses and pictures came from a computer and may be wrong. If a mark on your skin worries you, see a\ndoctor.\n", "title": "Thank you"}, "demographics": [{"id": "gender", "options": [{"label": "Female", "value": "female"}, {"label": "Male", "value": "male"}, {"label": "Another", "value": "another"}, {"label": "Prefer not to say", "value": "prefer_not_to_say"}], "wording": "What is your gender?"}, {"id": "medical_background", "options": [{"label": "Yes", "value": "yes"}, {"label": "No", "value": "no"}], "wording": "Do you have a medical background?"}], "design": {"inactive_after_minutes": 120, "kind": "within", "sequences": "all_orders"}, "ethics": "[Ethics approval number]", "final_items_intro": "SkinGEN is the assistant that drew pictures on your photo: {generated}.", "id": "skingen", "institution": "[Name of the institution]", "items": [{"construct": "Perceived Trust", "id": "trust", "repeated": true, "scale": "likert5", "wording": "I can trust the system."}, {"construct": "Ease of Understanding", "id": "ease", "repeated": true, "scale": "likert5", "wording": "The conversation with the system is easy to understand."}, {"construct": "Cognitive Effort", "id": "effort", "repeated": true, "scale": "likert5", "wording": "I easily found the information I was asking for."}, {"construct": "System Performance", "id": "correct", "repeated": false, "scale": "likert5", "wording": "SkinGEN''s diagnosis is correct or relevant."}, {"construct": "System Performance", "id": "informative", "repeated": false, "scale": "likert5", "wording": "The description provided by SkinGEN is informative."}, {"construct": "System Performance", "id": "useful_suggestions", "repeated": false, "scale": "likert5", "wording": "The suggestions offered by SkinGEN are useful."}, {"construct": "System Performance", "id": "future_use", "repeated": false, "scale": "likert5", "wording": "I would be willing to use SkinGEN in the future."}, {"construct": "System Performance", "id": "realistic", "repeated": false, "scale": "likert5", "wording": "The generated skin disease image looks realistic."}, {"construct": "System Performance", "id": "useful", "repeated": false, "scale": "likert5", "wording": "I find SkinGEN to be a useful system."}], "photo": {"ask_label": true, "instruction": "Choose a photo of a skin condition, or upload one.", "sources": ["gallery", "upload"]}, "planned_n": 32, "scales": {"likert5": {"labels": ["Strongly Disagree", "Disagree", "Neutral", "Agree", "Strongly Agree"], "minimum": 1}}, "seed": 20240, "steps": ["consent", "demographics", "periods", "final_items", "comments"], "suggested_questions": ["I doubt this diagnosis", "I don''t know this condition"], "title": "How do assistants explain skin conditions?"}','2026-11-21T11:41:43.432Z');
CREATE TABLE event (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        participant TEXT REFERENCES participant,
        kind TEXT NOT NULL,
        data TEXT NOT NULL CHECK (json_valid(data)),
        at TEXT NOT NULL) STRICT;
INSERT INTO "event" VALUES(1,'P0001','arrived','{}','2026-11-21T11:41:43.484Z');
INSERT INTO "event" VALUES(2,'P0001','consented','{}','2026-11-21T11:41:43.485Z');
INSERT INTO "event" VALUES(3,'P0001','allocated','{"sequence": ["generated", "cases", "text"]}','2026-11-21T11:41:43.487Z');
INSERT INTO "event" VALUES(4,'P0001','completed','{}','2026-11-21T11:41:43.783Z');
INSERT INTO "event" VALUES(5,'P0002','arrived','{}','2026-11-21T11:41:43.784Z');
INSERT INTO "event" VALUES(6,'P0002','consented','{}','2026-11-21T11:41:43.841Z');
INSERT INTO "event" VALUES(7,'P0002','allocated','{"sequence": ["generated", "text", "cases"]}','2026-11-21T11:41:43.842Z');
INSERT INTO "event" VALUES(8,'P0003','arrived','{}','2026-11-21T11:41:43.901Z');
INSERT INTO "event" VALUES(9,'P0003','declined','{}','2026-11-21T11:41:43.901Z');
INSERT INTO "event" VALUES(13,'P0004','withdrawn','{}','2026-11-21T11:41:43.903Z');
CREATE TABLE exposure (
        participant TEXT NOT NULL REFERENCES participant,
        period INTEGER NOT NULL CHECK (period >= 1),
        condition TEXT NOT NULL,
        photo TEXT NOT NULL CHECK (length(photo) = 64),
        known_label TEXT,
        started_at TEXT NOT NULL,
        finished_at TEXT, another_photo_wanted_at TEXT
        CHECK (another_photo_wanted_at IS NULL OR finished_at IS NULL),
        PRIMARY KEY (participant, period)) STRICT;
INSERT INTO "exposure" VALUES('P0001',1,'generated','27a5757e7827598926e815de69f6fd210c9bfa41f863449b9ef0a6384bb5719d',NULL,'2026-11-21T11:41:43.602Z','2026-11-21T11:41:43.603Z',NULL);
INSERT INTO "exposure" VALUES('P0001',2,'cases','27a5757e7827598926e815de69f6fd210c9bfa41f863449b9ef0a6384bb5719d',NULL,'2026-11-21T11:41:43.662Z','2026-11-21T11:41:43.662Z',NULL);
INSERT INTO "exposure" VALUES('P0001',3,'text','27a5757e7827598926e815de69f6fd210c9bfa41f863449b9ef0a6384bb5719d',NULL,'2026-11-21T11:41:43.717Z','2026-11-21T11:41:43.718Z',NULL);
INSERT INTO "exposure" VALUES('P0002',1,'generated','c2a1be5ebc03ffc9ce8a822e5719e3df6c5846960c9d74f0959b28b54ab16f27',NULL,'2026-11-21T11:41:43.842Z','2026-11-21T11:41:43.843Z',NULL);
CREATE TABLE job (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        participant TEXT NOT NULL,
        period INTEGER NOT NULL,
        request TEXT NOT NULL CHECK (json_valid(request)),
        status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'cancelled')),
        error TEXT,
        diagnosis TEXT CHECK (diagnosis IS NULL OR json_valid(diagnosis)),
        manifest TEXT CHECK (manifest IS NULL OR json_valid(manifest)),
        created_at TEXT NOT NULL,
        finished_at TEXT,
        FOREIGN KEY (participant, period) REFERENCES exposure,
        CHECK ((status = 'done') = (manifest IS NOT NULL)),
        CHECK ((status IN ('failed', 'cancelled')) = (error IS NOT NULL)),
        CHECK ((status IN ('queued', 'running')) = (finished_at IS NULL))) STRICT;
INSERT INTO "job" VALUES(1,'6ec235ae6dba54b01dcc25cb74fe1070','P0001',1,'{"photo": "27a5757e7827598926e815de69f6fd210c9bfa41f863449b9ef0a6384bb5719d", "question": "What is it?"}','done',NULL,'{"label": "acne vulgaris"}','{"profile": "test"}','2026-11-21T11:41:43.603Z','2026-11-21T11:41:43.603Z');
INSERT INTO "job" VALUES(2,'ab7c3be56a01aef158d25ce6a605f76d','P0001',2,'{"photo": "27a5757e7827598926e815de69f6fd210c9bfa41f863449b9ef0a6384bb5719d", "question": "What is it?"}','done',NULL,'{"label": "acne vulgaris"}','{"profile": "test"}','2026-11-21T11:41:43.662Z','2026-11-21T11:41:43.662Z');
INSERT INTO "job" VALUES(3,'2fc3f99594f0a273a9eff38370ba8593','P0001',3,'{"photo": "27a5757e7827598926e815de69f6fd210c9bfa41f863449b9ef0a6384bb5719d", "question": "What is it?"}','done',NULL,'{"label": "acne vulgaris"}','{"profile": "test"}','2026-11-21T11:41:43.718Z','2026-11-21T11:41:43.718Z');
INSERT INTO "job" VALUES(4,'b00f93c9eb0dea4f2f34af8519b94ae6','P0002',1,'{"photo": "c2a1be5ebc03ffc9ce8a822e5719e3df6c5846960c9d74f0959b28b54ab16f27", "question": "What is it?"}','done',NULL,'{"label": "acne vulgaris"}','{"profile": "test"}','2026-11-21T11:41:43.843Z','2026-11-21T11:41:43.843Z');
CREATE TABLE job_event (
        job INTEGER NOT NULL REFERENCES job,
        n INTEGER NOT NULL CHECK (n >= 1),
        event TEXT NOT NULL CHECK (json_valid(event)),
        PRIMARY KEY (job, n)) STRICT, WITHOUT ROWID;
INSERT INTO "job_event" VALUES(1,1,'{"type": "text_delta", "text": "It"}');
INSERT INTO "job_event" VALUES(2,1,'{"type": "text_delta", "text": "It"}');
INSERT INTO "job_event" VALUES(3,1,'{"type": "text_delta", "text": "It"}');
INSERT INTO "job_event" VALUES(4,1,'{"type": "text_delta", "text": "It"}');
CREATE TABLE login (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        password_hash TEXT NOT NULL,
        failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
        blocked_until TEXT) STRICT;
CREATE TABLE media_owner (
        sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
        participant TEXT NOT NULL REFERENCES participant,
        PRIMARY KEY (sha256, participant)) STRICT, WITHOUT ROWID;
INSERT INTO "media_owner" VALUES('27a5757e7827598926e815de69f6fd210c9bfa41f863449b9ef0a6384bb5719d','P0001');
INSERT INTO "media_owner" VALUES('c2a1be5ebc03ffc9ce8a822e5719e3df6c5846960c9d74f0959b28b54ab16f27','P0002');
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO "meta" VALUES('database_id','30eabe4e519740159a7481cf36b25a5b');
CREATE TABLE participant (
        participant TEXT PRIMARY KEY CHECK (participant GLOB 'P[0-9][0-9][0-9][0-9]*'),
        token_hash TEXT NOT NULL UNIQUE CHECK (length(token_hash) = 64),
        definition_hash TEXT NOT NULL REFERENCES definition,
        run_kind TEXT NOT NULL CHECK (run_kind IN ('pilot', 'live')),
        status TEXT NOT NULL DEFAULT 'active'
            CHECK (status IN ('active', 'completed', 'screened_out', 'excluded', 'withdrawn')),
        exclusion_reason TEXT,
        sequence TEXT,
        arrived_at TEXT NOT NULL,
        last_seen TEXT NOT NULL,
        consented_at TEXT,
        allocated_at TEXT,
        completed_at TEXT,
        withdrawn_at TEXT,
        CHECK ((sequence IS NULL) = (allocated_at IS NULL)),
        CHECK (sequence IS NULL OR consented_at IS NOT NULL),
        CHECK (status <> 'completed' OR (completed_at IS NOT NULL AND sequence IS NOT NULL)),
        CHECK (status NOT IN ('excluded', 'screened_out') OR exclusion_reason IS NOT NULL),
        CHECK ((status = 'withdrawn') = (withdrawn_at IS NOT NULL))) STRICT;
INSERT INTO "participant" VALUES('P0001','16b9a5173cfbc0e62666b1f23645505be8706a3a005ca22248645e4d86a632c1','2e8dfae31f1c893911751fd7bed9a7c4bf711f0fdb01141dc948279a71a44fb0','live','completed',NULL,'generated>cases>text','2026-11-21T11:41:43.432Z','2026-11-21T11:41:43.783Z','2026-11-21T11:41:43.485Z','2026-11-21T11:41:43.487Z','2026-11-21T11:41:43.783Z',NULL);
INSERT INTO "participant" VALUES('P0002','aec610228555348663057518b3fd88dc7b76ed94c865ce648ecd3dd3eeb02472','2e8dfae31f1c893911751fd7bed9a7c4bf711f0fdb01141dc948279a71a44fb0','pilot','active',NULL,'generated>text>cases','2026-11-21T11:41:43.784Z','2026-11-21T11:41:43.843Z','2026-11-21T11:41:43.840Z','2026-11-21T11:41:43.842Z',NULL,NULL);
INSERT INTO "participant" VALUES('P0003','aab5282b9aaa89e79284d158f0458a996b179ad46eb9e0d7021091b936c40fd9','2e8dfae31f1c893911751fd7bed9a7c4bf711f0fdb01141dc948279a71a44fb0','live','screened_out','declined',NULL,'2026-11-21T11:41:43.900Z','2026-11-21T11:41:43.901Z',NULL,NULL,NULL,NULL);
INSERT INTO "participant" VALUES('P0004','2e5504cff7830a48f75aa5a8b4beec6529eb1ac0b3075dbfdd4f4198e5eb0b66','2e8dfae31f1c893911751fd7bed9a7c4bf711f0fdb01141dc948279a71a44fb0','live','withdrawn',NULL,'cases>generated>text','2026-11-21T11:41:43.902Z','2026-11-21T11:41:43.903Z','2026-11-21T11:41:43.902Z','2026-11-21T11:41:43.903Z',NULL,'2026-11-21T11:41:43.903Z');
CREATE TABLE step_done (
        participant TEXT NOT NULL REFERENCES participant,
        step TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (participant, step)) STRICT;
INSERT INTO "step_done" VALUES('P0001','demographics','2026-11-21T11:41:43.486Z');
INSERT INTO "step_done" VALUES('P0001','rating:1','2026-11-21T11:41:43.661Z');
INSERT INTO "step_done" VALUES('P0001','rating:2','2026-11-21T11:41:43.664Z');
INSERT INTO "step_done" VALUES('P0001','rating:3','2026-11-21T11:41:43.719Z');
INSERT INTO "step_done" VALUES('P0001','final_items','2026-11-21T11:41:43.782Z');
INSERT INTO "step_done" VALUES('P0001','comments','2026-11-21T11:41:43.782Z');
INSERT INTO "step_done" VALUES('P0002','demographics','2026-11-21T11:41:43.841Z');
CREATE TABLE turn (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        participant TEXT NOT NULL,
        period INTEGER NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('participant', 'assistant')),
        text TEXT NOT NULL,
        at TEXT NOT NULL,
        job INTEGER NOT NULL REFERENCES job,
        FOREIGN KEY (participant, period) REFERENCES exposure) STRICT;
INSERT INTO "turn" VALUES(1,'P0001',1,'participant','What is it?','2026-11-21T11:41:43.603Z',1);
INSERT INTO "turn" VALUES(2,'P0001',1,'assistant','It may be acne.','2026-11-21T11:41:43.603Z',1);
INSERT INTO "turn" VALUES(3,'P0001',2,'participant','What is it?','2026-11-21T11:41:43.662Z',2);
INSERT INTO "turn" VALUES(4,'P0001',2,'assistant','It may be acne.','2026-11-21T11:41:43.662Z',2);
INSERT INTO "turn" VALUES(5,'P0001',3,'participant','What is it?','2026-11-21T11:41:43.718Z',3);
INSERT INTO "turn" VALUES(6,'P0001',3,'assistant','It may be acne.','2026-11-21T11:41:43.718Z',3);
INSERT INTO "turn" VALUES(7,'P0002',1,'participant','What is it?','2026-11-21T11:41:43.843Z',4);
INSERT INTO "turn" VALUES(8,'P0002',1,'assistant','It may be acne.','2026-11-21T11:41:43.843Z',4);
CREATE INDEX answer_newest ON answer (participant, item, period, id);
CREATE INDEX event_participant ON event (participant);
CREATE UNIQUE INDEX job_one_open ON job (participant, period) WHERE status IN ('queued', 'running');
CREATE INDEX turn_exposure ON turn (participant, period);
CREATE UNIQUE INDEX turn_one_answer ON turn (job) WHERE role = 'assistant';
CREATE INDEX media_of_participant ON media_owner (participant);
CREATE TRIGGER answer_never_changes BEFORE UPDATE ON answer
                BEGIN SELECT RAISE(ABORT, 'answer is append-only'); END;
CREATE TRIGGER answer_never_shrinks BEFORE DELETE ON answer
                WHEN (SELECT status FROM participant WHERE participant = OLD.participant) IS NOT 'withdrawn'
                BEGIN SELECT RAISE(ABORT, 'answer is append-only'); END;
CREATE TRIGGER event_never_changes BEFORE UPDATE ON event
                BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;
CREATE TRIGGER event_never_shrinks BEFORE DELETE ON event
                WHEN (SELECT status FROM participant WHERE participant = OLD.participant) IS NOT 'withdrawn'
                BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;
CREATE TRIGGER withdrawal_is_final BEFORE UPDATE OF status ON participant
        WHEN OLD.status = 'withdrawn' AND NEW.status <> 'withdrawn'
        BEGIN SELECT RAISE(ABORT, 'withdrawal is final'); END;
CREATE TRIGGER sequence_is_drawn_once BEFORE UPDATE OF sequence ON participant
        WHEN OLD.sequence IS NOT NULL AND NEW.sequence IS NOT OLD.sequence
        BEGIN SELECT RAISE(ABORT, 'a sequence is drawn once'); END;
CREATE TRIGGER participant_stays BEFORE DELETE ON participant
        BEGIN SELECT RAISE(ABORT, 'participants are never deleted; withdraw instead'); END;
CREATE VIEW questions AS 
        SELECT d.hash AS definition_hash, d.study, 'demographics' AS step, i.key + 1 AS position,
               i.value ->> '$.id' AS item, coalesce(i.value ->> '$.kind', iif(i.value ->> '$.scale' IS NULL, 'single', 'likert')) AS kind, CASE json_type(i.value, '$.wording') WHEN 'object'
                    THEN (i.value -> '$.wording') ->> ('$."' || coalesce(d.source ->> '$.languages[0]', 'en') || '"')
                    ELSE i.value ->> '$.wording' END AS wording,
               coalesce(i.value ->> '$.construct', '') AS construct,
               coalesce(i.value ->> '$.missing', 'required') AS missing
        FROM definition d, json_each(d.source, '$.demographics') i
        UNION ALL
        SELECT d.hash, d.study, iif(coalesce(i.value ->> '$.repeated', 0), 'rating', 'final_items'), i.key + 1,
               i.value ->> '$.id', coalesce(i.value ->> '$.kind', iif(i.value ->> '$.scale' IS NULL, 'single', 'likert')), CASE json_type(i.value, '$.wording') WHEN 'object'
                    THEN (i.value -> '$.wording') ->> ('$."' || coalesce(d.source ->> '$.languages[0]', 'en') || '"')
                    ELSE i.value ->> '$.wording' END, coalesce(i.value ->> '$.construct', ''),
               coalesce(i.value ->> '$.missing', 'required')
        FROM definition d, json_each(d.source, '$.items') i;
CREATE VIEW items AS 
        SELECT d.hash AS definition_hash, d.study, i.key + 1 AS position,
               i.value ->> '$.id' AS item, CASE json_type(i.value, '$.wording') WHEN 'object'
                    THEN (i.value -> '$.wording') ->> ('$."' || coalesce(d.source ->> '$.languages[0]', 'en') || '"')
                    ELSE i.value ->> '$.wording' END AS wording,
               i.value ->> '$.construct' AS construct,
               d.source ->> ('$.scales.' || (i.value ->> '$.scale') || '.minimum') AS scale_min,
               (d.source ->> ('$.scales.' || (i.value ->> '$.scale') || '.minimum')) - 1 +
               json_array_length(d.source, '$.scales.' || (i.value ->> '$.scale') || '.labels') AS scale_max,
               i.value ->> '$.repeated' AS repeated
        FROM definition d, json_each(d.source, '$.items') i
        WHERE coalesce(i.value ->> '$.kind', iif(i.value ->> '$.scale' IS NULL, 'single', 'likert')) = 'likert' AND i.value ->> '$.attention_check' IS NULL;
CREATE VIEW conditions AS 
        SELECT d.hash AS definition_hash, d.study, c.key + 1 AS position,
               c.value ->> '$.key' AS condition, c.value ->> '$.label' AS label
        FROM definition d, json_each(d.source, '$.conditions') c;
CREATE VIEW newest_answers AS 
        SELECT * FROM answer a
        WHERE a.id = (SELECT max(b.id) FROM answer b
                      WHERE b.participant = a.participant AND b.item = a.item AND b.period IS a.period);
CREATE VIEW outcomes AS 
        SELECT p.participant, d.study, p.definition_hash, p.run_kind, p.sequence,
               CASE WHEN p.status = 'active' AND p.last_seen < strftime('%Y-%m-%dT%H:%M:%fZ', 'now',
                         '-' || (d.source ->> '$.design.inactive_after_minutes') || ' minutes')
                    THEN 'abandoned' ELSE p.status END AS outcome
        FROM participant p JOIN definition d ON d.hash = p.definition_hash;
CREATE VIEW ratings AS 
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, o.sequence, a.period, e.condition,
               a.item, i.construct, a.value, a.answered_at, a.duration_s
        FROM newest_answers a
        JOIN outcomes o ON o.participant = a.participant
        JOIN items i ON i.definition_hash = o.definition_hash AND i.item = a.item
        LEFT JOIN exposure e ON e.participant = a.participant AND e.period = a.period
        WHERE typeof(a.value) = 'integer';
CREATE VIEW answers AS 
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, o.sequence, a.period, e.condition,
               q.step, a.item, q.kind, a.value, a.language, a.answered_at, a.duration_s
        FROM newest_answers a
        JOIN outcomes o ON o.participant = a.participant
        JOIN questions q ON q.definition_hash = o.definition_hash AND q.item = a.item
        LEFT JOIN exposure e ON e.participant = a.participant AND e.period = a.period
        WHERE a.value <> '';
CREATE VIEW participants AS 
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, o.sequence, o.outcome,
               p.arrived_at, p.completed_at,
               (SELECT json_group_object(a.item, a.value)
                FROM json_each(d.source, '$.demographics') q
                JOIN newest_answers a ON a.participant = p.participant AND a.item = q.value ->> '$.id'
                WHERE a.value <> '') AS demographics,
               p.exclusion_reason
        FROM outcomes o JOIN participant p ON p.participant = o.participant
        JOIN definition d ON d.hash = o.definition_hash;
CREATE VIEW exposures AS 
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, o.sequence, e.period, e.condition,
               e.photo, e.known_label, j.diagnosis ->> '$.label' AS diagnosis, e.started_at, e.finished_at,
               j.manifest,
               (SELECT count(*) FROM event x
                WHERE x.participant = e.participant AND x.kind = 'photo_exchanged'
                  AND x.data ->> '$.period' = e.period) AS photos_exchanged,
               (SELECT coalesce(round(sum(julianday(x.at) - julianday(x.data ->> '$.wanted_at')) * 86400, 2), 0)
                FROM event x
                WHERE x.participant = e.participant AND x.kind IN ('photo_exchanged', 'photo_kept')
                  AND x.data ->> '$.period' = e.period) AS choosing_again_s
        FROM exposure e
        JOIN outcomes o ON o.participant = e.participant
        LEFT JOIN job j ON j.id = (SELECT min(first.id) FROM job first
                                   WHERE first.participant = e.participant AND first.period = e.period
                                     AND first.status = 'done' AND first.request ->> '$.photo' = e.photo);
CREATE VIEW photo_exchanges AS 
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, o.sequence, e.period, e.condition,
               x.data ->> '$.photo' AS photo, x.data ->> '$.known_label' AS known_label,
               x.data ->> '$.wanted_at' AS wanted_at,
               x.at AS exchanged_at, x.data ->> '$.new_photo' AS new_photo, j.manifest
        FROM event x
        JOIN exposure e ON e.participant = x.participant AND e.period = x.data ->> '$.period'
        JOIN outcomes o ON o.participant = e.participant
        LEFT JOIN job j ON j.id = (SELECT min(first.id) FROM job first
                                   WHERE first.participant = e.participant AND first.period = e.period
                                     AND first.status = 'done'
                                     AND first.request ->> '$.photo' = x.data ->> '$.photo')
        WHERE x.kind = 'photo_exchanged';
CREATE VIEW flow AS 
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, o.sequence, p.arrived_at,
               p.consented_at, p.allocated_at,
               (SELECT count(*) FROM step_done s
                WHERE s.participant = p.participant AND s.step LIKE 'rating:%') AS periods_finished,
               p.completed_at, o.outcome, p.exclusion_reason, p.withdrawn_at
        FROM outcomes o JOIN participant p ON p.participant = o.participant;
CREATE VIEW comments AS 
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, a.value AS comment, a.answered_at
        FROM newest_answers a
        JOIN outcomes o ON o.participant = a.participant
        JOIN definition d ON d.hash = o.definition_hash AND a.item = d.source ->> '$.comments.id'
        WHERE a.value <> '';
CREATE VIEW conversations AS 
        SELECT o.study, o.definition_hash, o.run_kind, o.participant, t.period, e.condition,
               t.role, t.text, t.at, j.request ->> '$.photo' AS photo
        FROM turn t
        JOIN job j ON j.id = t.job
        JOIN outcomes o ON o.participant = t.participant
        JOIN exposure e ON e.participant = t.participant AND e.period = t.period;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('event',13);
INSERT INTO "sqlite_sequence" VALUES('answer',21);
INSERT INTO "sqlite_sequence" VALUES('job',4);
INSERT INTO "sqlite_sequence" VALUES('turn',8);
COMMIT;
