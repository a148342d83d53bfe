"""Persons: age, death, protected identity and changed numbers, and the population register as a port."""

from mm_soap.persons.file import FilePopulationRegister, write_persons
from mm_soap.persons.model import ADULT_AGE, RegisteredPerson, birth_day, swedish_day
from mm_soap.persons.register import NumberedPersons, PopulationRegister, PopulationRegisterAway

__all__ = [
    "ADULT_AGE",
    "FilePopulationRegister",
    "NumberedPersons",
    "PopulationRegister",
    "PopulationRegisterAway",
    "RegisteredPerson",
    "birth_day",
    "swedish_day",
    "write_persons",
]
