"""Names of people who do not exist."""

import random
from collections.abc import Iterator

_GIVEN = """
Ada Agnieszka Ahmed Aisha Alejandro Amara Anders Anna Arjun Ayşe Björn Bohdan Carmen Chiara Chinedu Clara Daniel
Diego Dmytro Elif Emeka Emma Eszter Fatima Felix Filip Freya Gabriel Grace Hana Hannah Hassan Hugo Ibrahim Ingrid
Isabel Jakub Jana Javier João Julia Kaito Karim Katarzyna Kofi Lars Layla Lea Léo Linh Lucas Łukasz Magdalena Maja
Małgorzata Marco Mariam Marta Mateusz Mei Michał Mohammed Nadia Nikolai Nina Noah Olena Oliver Omar Paulina Petra
Priya Rafael Rosa Sakura Samuel Sara Sofia Søren Stefan Tariq Tomasz Uma Valentina Viktor Wei Yara Yusuf Zofia
Zuzanna
"""
_FAMILY = """
Abebe Adeyemi Almeida Andersson Bauer Bianchi Björk Chowdhury Costa Dąbrowski Dias Dubois Eriksen Farkas Fernández
Ferreira Fischer García Grabowska Haddad Hansen Hoffmann Horvat Ito Ivanova Jansen Jensen Kaya Khan Kowalczyk
Kowalski Kovács Kumar Lefèvre Lewandowska Lindqvist Mensah Moreau Moretti Müller Nagy Nakamura Novák Nowak Nguyen
Okafor Olsen Osei Park Patel Pereira Petrov Rahman Ricci Rossi Sato Schneider Shevchenko Silva Singh Sokolov Suzuki
Szymańska Takahashi Tanaka Tran Varga Virtanen Wagner Weber Wiśniewska Wójcik Demir Zieliński Żak
"""
_UNUSUAL = (
    "ليلى عبد الرحمن الحسن",
    "王小明",
    "Олена Шевченко-Коваленко",
    "Maria Anna Wilhelmina Konstantinopolitańczykowianeczkówna-Wolfeschlegelsteinhausenbergerdorff",
    "נועה בן-דוד",
    "Nguyễn Thị Minh Khai",
)


def made_up_names(chance: random.Random) -> Iterator[str]:
    """Names, each once, until all have been given; some are long, some in other scripts."""
    every = [f"{given} {family}" for given in _GIVEN.split() for family in _FAMILY.split()]
    chance.shuffle(every)
    for number, name in enumerate(every):
        if number % 17 == 5 and number // 17 < len(_UNUSUAL):
            yield _UNUSUAL[number // 17]
        yield name
