package PVE::Exception;

# A double of PVE::Exception with the functions that are used here.

use v5.36;

use Exporter qw(import);
use overload '""' => sub($self, @) { $self->stringify() }, fallback => 1;

our @EXPORT_OK = qw(raise raise_param_exc);

sub raise($msg, %param) {
    die bless { msg => $msg, %param }, __PACKAGE__;
}

sub raise_param_exc($errors) {
    raise("Parameter verification failed.\n", code => 400, errors => $errors);
}

sub is_param_exc($self) {
    return ($self->{code} // 0) == 400;
}

sub stringify($self) {
    my $errors = $self->{errors} // {};
    return join('', "$self->{code} $self->{msg}", map { "$_: $errors->{$_}\n" } sort keys %$errors);
}

1;
