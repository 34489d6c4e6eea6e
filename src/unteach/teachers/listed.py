"""List replacement names by script and slot, for data with too few names."""

FIRST_NAMES = tuple(
    str.split(
        "Alma Bruno Carla Dario Elena Felix Greta Hugo Irene Jonas Karin Leo Marta Nils Olga "
        "Pablo Rosa Simon Tilda Viktor Wanda Amir Chen Dina Emre Fatima Hana Ivan Jamal Kofi Lin "
        "Mei Noor Omar Priya Ravi Sana Tomas Yuki Zara Anna Ben Clara David Eva Frank Grace Henry "
        "Ida Jack"
    )
)
LAST_NAMES = tuple(
    str.split(
        "Adler Bauer Costa Dahl Evans Fischer Garcia Holm Ito Jansen Keller Lopez Meyer Novak "
        "Olsen Perez Quinn Rossi Silva Torres Ueda Vogel Weber Yang Zeller Ahmed Brandt Castro "
        "Diaz Fuchs Grant Haas Iversen Kim Lang Moreno Nguyen Ortiz Patel Reyes Sato Tanaka "
        "Wagner Young Zhang"
    )
)
ANY = {
    "CJK": "佐藤健 鈴木花子 高橋一郎 伊藤美咲 渡辺大輔 山本 中村 小林 加藤 吉田 "
    "王芳 李伟 张敏 刘洋 陈静 "
    "杨帆 赵雷 黄丽 周杰 吴磊 徐丽娜 孙建国 马晓东 朱小梅 健太 美咲 翔太 陽菜",
    "HIRAGANA": "さくら はなこ あおい ゆうた けんた みさき たろう まなみ",
    "KATAKANA": "アンナ マリア ピーター カルロス ミラー スミス ロペス ワグナー エレナ ヨナス",
    "HANGUL": "김민수 이서연 박지훈 최유진 정하늘 강도현 조은비 윤성호 임수빈 한지민",
    "ARABIC": "أحمد محمد فاطمة مريم يوسف خالد ليلى سارة عمر نور حسن زينب طارق سلمى كريم هدى",
    "HEBREW": "דוד משה שרה רחל יוסף מרים אברהם לאה נועה יעל איתן תמר",
    "DEVANAGARI": "राम सीता अमित प्रिया राहुल नेहा विजय अंजलि सुनील कविता",
    "THAI": "สมชาย สมหญิง มานี มานะ ปิติ ชูใจ วิชัย สุดา",
    "CYRILLIC": "Анна Вера Нина Инна Рита Лиза Ольга Мария Елена Ирина Дарья Алина Наталья Татьяна "
    "Светлана Зоя Ада Ева Иван Олег Егор Юрий Павел Антон Роман Борис Сергей Виктор Максим Дмитрий "
    "Алексей Николай Андрей Лев",
    "GREEK": "Άννα Γιώργος Μαρία Νίκος Ελένη Κώστας Σοφία Δημήτρης Κατερίνα Πέτρος",
}
"""Names in scripts with one list for all slots."""
CYRILLIC_LAST = tuple(
    str.split(
        "Орлов Белов Титов Носов Зуев Петров Волков Козлов Громов Соколов Морозов Лебедев Новиков "
        "Орлова Белова Титова Носова Зуева Петрова Волкова Козлова Громова Соколова Морозова "
        "Лебедева Новикова"
    )
)


def listed_names(script: str, slot: int) -> tuple[str, ...]:
    """Return the listed names of a script for a slot; empty for a script without a list.

    Example:
        >>> listed_names("LATIN", 1)[0], len(listed_names("CJK", 0)) > 20, listed_names("", 0)
        ('Adler', True, ())
    """
    if script == "LATIN":
        return (FIRST_NAMES, LAST_NAMES)[slot]
    if script == "CYRILLIC" and slot:
        return CYRILLIC_LAST
    return tuple(ANY.get(script, "").split())
