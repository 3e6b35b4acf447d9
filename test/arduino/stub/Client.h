/* Our own stand-in for the Arduino core's Client. */
#pragma once
class Client {};
